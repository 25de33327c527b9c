/// Topics with their watermarks, and groups with their members, offsets and lag.
public struct StatusReport: Report {
  public struct Topic: Sendable {
    public var name: String
    public var look: TopicLook

    public init(name: String, look: TopicLook) {
      self.name = name
      self.look = look
    }
  }

  public struct Group: Sendable {
    public var description: GroupDescription
    /// Over every partition of every topic in which the group has committed something or has members.
    public var lag: GroupLag

    public init(_ description: GroupDescription, lag: GroupLag) {
      self.description = description
      self.lag = lag
    }
  }

  public let command: StaticString = "status"
  public var broker: String
  public var topics: [Topic]
  public var groups: [Group]
  /// Why there may be more groups than these; `nil` when these are all.
  public var groupsFailure: BrokerError?
  public var completion: Completion { .whole }

  public init(broker: String, topics: [Topic], groups: [Group], groupsFailure: BrokerError? = nil) {
    self.broker = broker
    self.topics = topics
    self.groups = groups
    self.groupsFailure = groupsFailure
  }

  // MARK: - Text

  public func appendBody(to text: ReportText) {
    TextRows.append(title: "Topics on \(broker)", to: text)
    if topics.isEmpty { text.append("  none\n" as StaticString) }
    for topic in topics {
      text.append("  \(topic.name)\n")
      if let reason = topic.look.reason { text.append("    partitions are unknown: \(reason)\n") }
      appendTable(
        ["partition", "low", "high", "stable"],
        topic.look.partitions.enumerated().map { number, look in
          switch look {
          case .seen(let marks): [String(number), String(marks.low), String(marks.high), String(marks.stable)]
          case .unseen(let reason): [String(number), "-", "-", Self.unknown(reason)]
          }
        }, to: text)
    }
    TextRows.append(title: "\nGroups", to: text)
    if let groupsFailure { text.append("  there may be more of them: \(groupsFailure.why)\n") }
    if groups.isEmpty { text.append("  none\n" as StaticString) }
    for group in groups { append(group, to: text) }
  }

  private static func unknown(_ reason: String) -> String { "unknown (\(reason))" }

  private func append(_ group: Group, to text: ReportText) {
    let description = group.description
    let count = description.members.count
    let members = description.membersKnown ? "\(count) member\(count == 1 ? "" : "s")" : "members unknown"
    let atLeast = group.lag.atLeast > 0 ? ", at least \(group.lag.atLeast)" : ""
    let lag = group.lag.total.records.map(String.init) ?? "unknown\(atLeast)"
    text.append("  \(description.group): \(description.state), \(members), lag \(lag)\n")
    if let failure = description.membersFailure { text.append("    members are unknown: \(failure.why)\n") }
    if let failure = description.committedFailure { text.append("    committed offsets are unknown: \(failure.why)\n") }
    for member in description.members {
      let owned = member.partitions.map(\.description).joined(separator: " ")
      text.append("    member \(member.id) on \(member.host): \(owned.isEmpty ? "no partitions" : owned)\n")
    }
    appendTable(
      ["partition", "committed", "stable", "lag"],
      group.lag.partitions.map { partition in
        let lag =
          switch partition.lag {
          case .known(let records): String(records)
          case .unknown(let reason): Self.unknown(reason)
          }
        return [
          partition.topicPartition.description, partition.committed.map(String.init) ?? "-",
          partition.stable.map(String.init) ?? "-", lag,
        ]
      }, to: text)
  }

  /// A table with its first column left-aligned and the others right-aligned.
  private func appendTable(_ head: [String], _ rows: [[String]], to text: ReportText) {
    guard !rows.isEmpty else { return }
    let widths = head.indices.map { column in ([head] + rows).map { $0[column].count }.max() ?? 0 }
    for row in [head] + rows {
      text.append("    " as StaticString)
      TextRows.appendLeft(row[0], width: widths[0], to: text)
      for column in 1..<row.count { TextRows.appendRight(row[column], width: widths[column] + 2, to: text) }
      text.append(UInt8(ascii: "\n"))
    }
  }

  // MARK: - JSON

  public func appendMembers(to json: inout JSONWriter) {
    json.key("topics")
    json.beginArray()
    for topic in topics { append(topic, to: &json) }
    json.endArray()
    json.key("groups")
    json.beginArray()
    for group in groups { append(group, to: &json) }
    json.endArray()
    json.member("groups_reason", groupsFailure?.why)
  }

  private func append(_ topic: Topic, to json: inout JSONWriter) {
    json.beginObject()
    json.member("name", topic.name)
    json.member("reason", topic.look.reason)
    json.key("partitions")
    json.beginArray()
    for (number, look) in topic.look.partitions.enumerated() {
      json.beginObject()
      json.member("partition", Int64(number))
      json.member("low", look.watermarks?.low)
      json.member("high", look.watermarks?.high)
      json.member("stable", look.watermarks?.stable)
      json.member("reason", look.reason)
      json.endObject()
    }
    json.endArray()
    json.endObject()
  }

  private func append(_ group: Group, to json: inout JSONWriter) {
    let description = group.description
    json.beginObject()
    json.member("group", description.group)
    json.member("state", description.state)
    json.key("members")
    json.beginArray()
    for member in description.members { append(member, to: &json) }
    json.endArray()
    json.member("members_known", description.membersKnown)
    json.member("lag", group.lag.total.records)
    json.member("lag_at_least", group.lag.atLeast)
    json.member("reason", description.membersFailure?.why ?? description.committedFailure?.why)
    json.key("partitions")
    json.beginArray()
    for partition in group.lag.partitions { append(partition, to: &json) }
    json.endArray()
    json.endObject()
  }

  private func append(_ member: GroupDescription.Member, to json: inout JSONWriter) {
    json.beginObject()
    json.member("id", member.id)
    json.member("host", member.host)
    json.key("partitions")
    json.beginArray()
    for partition in member.partitions {
      json.beginObject()
      json.member("topic", partition.topic)
      json.member("partition", Int64(partition.partition))
      json.endObject()
    }
    json.endArray()
    json.endObject()
  }

  private func append(_ partition: GroupLag.Partition, to json: inout JSONWriter) {
    json.beginObject()
    json.member("topic", partition.topicPartition.topic)
    json.member("partition", Int64(partition.topicPartition.partition))
    json.member("committed", partition.committed)
    json.member("stable", partition.stable)
    json.member("lag", partition.lag.records)
    json.member("reason", partition.lag.reason)
    json.endObject()
  }
}
