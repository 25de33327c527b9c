/// What `replay` would do to a named group if it were told to. The document has the keys of a replay, all of them null:
/// nothing was computed.
public struct ReplayPlan: Report {
  public let command: StaticString = "replay"
  public var topic: String
  public var group: String
  public var completion: Completion { .whole }

  public init(topic: String, group: String) {
    self.topic = topic
    self.group = group
  }

  private var plan: String {
    "would compute the metrics of group \(group) on \(topic), reset its offsets and state, and compute them again; "
      + "add --execute to do it"
  }

  public func appendBody(to text: ByteBuffer) { text.append(plan + "\n") }

  public func appendMembers(to json: inout JSONWriter) {
    json.member("topic", topic)
    json.member("executed", false)
    json.member("plan", plan)
    for key in ["match", "initial", "replay", "first_difference"] {
      json.key(key)
      json.null()
    }
  }
}
