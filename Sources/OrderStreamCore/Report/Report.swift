/// The result of a command: a value that prints as text and as a JSON document, and knows nothing of where they go.
public protocol Report {
  /// The command's name, as in `orderstream.<command>/1`.
  var command: StaticString { get }

  /// The version of the document's schema, the number in `orderstream.<command>/1`.
  var schemaVersion: Int { get }

  /// Whether the run met its own stop condition: `complete` in the document, and the last line of the text if not.
  var completion: Completion { get }

  /// What it means for the claim of the command that it was cut short; ends the last line of the text.
  var consequence: String? { get }

  /// Appends the text for people, whole lines, up to what `completion` adds.
  func appendBody(to text: ByteBuffer)

  /// Appends the members of the JSON document that are the command's own; the object is open.
  func appendMembers(to json: inout JSONWriter)
}

extension Report {
  public var schemaVersion: Int { 1 }

  public var consequence: String? { nil }

  /// Appends the text for people: the body, and after a run that was cut short the line that says so.
  public func appendText(to text: ByteBuffer) {
    appendBody(to: text)
    guard let cut = completion.cutShort else { return }
    TextRows.append("Result", cut.text + (consequence.map { ": \($0)" } ?? ""), to: text)
  }
}

/// The frame that all JSON documents share.
public struct ReportFrame: Sendable {
  /// As `Broker.name`.
  public var broker: String
  /// Duration of the whole run so far.
  public var elapsedMilliseconds: Int64
  /// First record received, or first sent, to last commit or acknowledgement; `nil` where no records move.
  public var activeMilliseconds: Int64?

  public init(broker: String, elapsedMilliseconds: Int64, activeMilliseconds: Int64?) {
    self.broker = broker
    self.elapsedMilliseconds = elapsedMilliseconds
    self.activeMilliseconds = activeMilliseconds
  }

  /// Appends one document on one line, with a line feed.
  public func append(_ report: some Report, to buffer: ByteBuffer) {
    var json = JSONWriter(buffer)
    json.beginObject()
    json.key("schema")
    json.string("orderstream.\(report.command)/\(report.schemaVersion)")
    json.key("broker")
    json.string(broker)
    json.member("complete", report.completion.isWhole)
    json.key("elapsed_ms")
    json.integer(elapsedMilliseconds)
    if let activeMilliseconds {
      json.key("active_ms")
      json.integer(activeMilliseconds)
    }
    report.appendMembers(to: &json)
    json.endObject()
    buffer.append(UInt8(ascii: "\n"))
  }
}

extension JSONWriter {
  /// Appends a key and an integer.
  mutating func member(_ key: String, _ value: Int64) {
    self.key(key)
    integer(value)
  }

  /// Appends a key and an integer, or `null` for none.
  mutating func member(_ key: String, _ value: Int64?) {
    self.key(key)
    if let value { integer(value) } else { null() }
  }

  /// Appends a key and a string, or `null` for none.
  mutating func member(_ key: String, _ value: String?) {
    self.key(key)
    if let value { string(value) } else { null() }
  }

  /// Appends a key and a boolean.
  mutating func member(_ key: String, _ value: Bool) {
    self.key(key)
    bool(value)
  }
}
