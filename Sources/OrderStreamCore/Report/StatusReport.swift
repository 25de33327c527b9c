/// Topics with their watermarks, and groups with their members, offsets and lag.
public struct StatusReport: Report {
  public struct Topic: Sendable {
    public var name: String
    /// By partition number.
    public var partitions: [Watermarks]

    public init(name: String, partitions: [Watermarks]) {
      self.name = name
      self.partitions = partitions
    }
  }

  public struct Group: Sendable {
    public struct Partition: Sendable {
      public var topicPartition: TopicPartition
      public var committed: Offset?
      /// `nil` when the topic is gone.
      public var stable: Offset?
      public var lag: Lag

      public init(_ topicPartition: TopicPartition, committed: Offset?, stable: Offset?) {
        self.topicPartition = topicPartition
        self.committed = committed
        self.stable = stable
        lag = stable.map { Lag(stable: $0, committed: committed) } ?? .unknown(reason: "the topic is gone")
      }
    }

    public var description: GroupDescription
    /// Every partition of every topic in which the group has committed something or has members.
    public var partitions: [Partition]

    public init(_ description: GroupDescription, partitions: [Partition]) {
      self.description = description
      self.partitions = partitions
    }

    /// The sum over the partitions whose lag is known; `nil` when none is.
    public var lag: Int64? {
      let known = partitions.compactMap(\.lag.records)
      return known.isEmpty ? nil : known.reduce(0, +)
    }
  }

  public let command: StaticString = "status"
  public var broker: String
  public var topics: [Topic]
  public var groups: [Group]
  public var completion: Completion { .whole }

  public init(broker: String, topics: [Topic], groups: [Group]) {
    self.broker = broker
    self.topics = topics
    self.groups = groups
  }

  // MARK: - Text

  public func appendBody(to text: ByteBuffer) {
    TextRows.append(title: "Topics on \(broker)", to: text)
    if topics.isEmpty { text.append("  none\n" as StaticString) }
    for topic in topics {
      text.append("  \(topic.name)\n")
      appendTable(
        ["partition", "low", "high", "stable"],
        topic.partitions.enumerated().map { number, marks in
          [String(number), String(marks.low), String(marks.high), String(marks.stable)]
        }, to: text)
    }
    TextRows.append(title: "\nGroups", to: text)
    if groups.isEmpty { text.append("  none\n" as StaticString) }
    for group in groups { append(group, to: text) }
  }

  private func append(_ group: Group, to text: ByteBuffer) {
    let count = group.description.members.count
    let lag = group.lag.map(String.init) ?? "unknown"
    let members = "\(count) member\(count == 1 ? "" : "s")"
    text.append("  \(group.description.group): \(group.description.state), \(members), lag \(lag)\n")
    for member in group.description.members {
      let owned = member.partitions.map(\.description).joined(separator: " ")
      text.append("    member \(member.id) on \(member.host): \(owned.isEmpty ? "no partitions" : owned)\n")
    }
    appendTable(
      ["partition", "committed", "stable", "lag"],
      group.partitions.map { partition in
        var lag = ""
        switch partition.lag {
        case .known(let records): lag = String(records)
        case .unknown(let reason): lag = "unknown (\(reason))"
        }
        return [
          partition.topicPartition.description, partition.committed.map(String.init) ?? "-",
          partition.stable.map(String.init) ?? "-", lag,
        ]
      }, to: text)
  }

  /// A table with its first column left-aligned and the others right-aligned.
  private func appendTable(_ head: [String], _ rows: [[String]], to text: ByteBuffer) {
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
    for topic in topics {
      json.beginObject()
      json.member("name", topic.name)
      json.key("partitions")
      json.beginArray()
      for (number, marks) in topic.partitions.enumerated() {
        json.beginObject()
        json.member("partition", Int64(number))
        json.member("low", marks.low)
        json.member("high", marks.high)
        json.member("stable", marks.stable)
        json.endObject()
      }
      json.endArray()
      json.endObject()
    }
    json.endArray()
    json.key("groups")
    json.beginArray()
    for group in groups { append(group, to: &json) }
    json.endArray()
  }

  private func append(_ group: Group, to json: inout JSONWriter) {
    json.beginObject()
    json.member("group", group.description.group)
    json.member("state", group.description.state)
    json.key("members")
    json.beginArray()
    for member in group.description.members {
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
    json.endArray()
    json.member("lag", group.lag)
    json.key("partitions")
    json.beginArray()
    for partition in group.partitions { append(partition, to: &json) }
    json.endArray()
    json.endObject()
  }

  private func append(_ partition: Group.Partition, to json: inout JSONWriter) {
    json.beginObject()
    json.member("topic", partition.topicPartition.topic)
    json.member("partition", Int64(partition.topicPartition.partition))
    json.member("committed", partition.committed)
    json.member("stable", partition.stable)
    switch partition.lag {
    case .known(let records):
      json.member("lag", records)
      json.member("reason", nil as String?)
    case .unknown(let reason):
      json.member("lag", nil as Int64?)
      json.member("reason", reason)
    }
    json.endObject()
  }
}
