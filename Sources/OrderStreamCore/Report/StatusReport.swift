/// Topics with their watermarks, and groups with their members, offsets and lag.
public struct StatusReport: Report, Sendable {
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
    /// Why it is behind, as far as looks have told.
    public var explanation: LagExplanation

    public init(_ description: GroupDescription, lag: GroupLag, explanation: LagExplanation) {
      self.description = description
      self.lag = lag
      self.explanation = explanation
    }
  }

  public enum Detail: Sendable { case topics, groups }

  public let command: StaticString = "status"
  public var broker: String
  public var topics: [Topic]
  public var groups: [Group]
  /// Names that were asked for and are not there.
  public var unknownTopics: [String] = []
  public var unknownGroups: [String] = []
  /// `nil` unless it is asked for, and on the embedded log.
  public var cluster: ClusterDescription?
  /// Whether nobody has made the embedded log yet.
  public var isAbsent = false
  /// What is shown partition by partition; the rest is a line each.
  public var detail: Set<Detail> = []
  /// Why there may be more groups than these; `nil` when these are all.
  public var groupsFailure: BrokerError?
  public var completion = Completion.whole

  public init(broker: String, topics: [Topic], groups: [Group], groupsFailure: BrokerError? = nil) {
    self.broker = broker
    self.topics = topics
    self.groups = groups
    self.groupsFailure = groupsFailure
  }

  // MARK: - Text

  public func appendBody(to text: ReportText) { append(to: text) }

  public func appendBody(to text: ReportText, on screen: Screen) { append(to: text, columns: screen.columns) }

  /// What a terminal shows again and again: topics that find no room are counted, because groups move.
  /// - Parameter state: Where the run is, on the last line.
  public func appendView(state: String, to text: ReportText, on screen: Screen) {
    let groupLines = groups.count + 3
    append(
      to: text, topicLimit: detail.isEmpty ? max(1, screen.rows - groupLines - 5) : nil, columns: screen.columns)
    text.append("\n" as StaticString)
    text.append(state, .dim)
    text.append("\n" as StaticString)
  }

  /// - Parameter columns: of a screen; tables that are wider leave something out.
  private func append(to text: ReportText, topicLimit: Int? = nil, columns: Int = .max) {
    TextRows.append(title: "Topics on \(broker)", to: text)
    if let cluster { append(cluster, to: text) }
    for name in unknownTopics { text.append("  \(name): there is no such topic\n", .warning) }
    if topics.isEmpty && unknownTopics.isEmpty { text.append(isAbsent ? "  none: there is no log yet\n" : "  none\n") }
    let shown = topics.prefix(topicLimit ?? topics.count)
    let width = shown.map(\.name.count).max() ?? 0
    for topic in shown { append(topic, nameWidth: width, to: text) }
    if shown.count < topics.count {
      text.append("  \(TextRows.count(topics.count - shown.count, "more topic"))\n", .dim)
    }
    text.append("\n" as StaticString)
    TextRows.append(title: "Groups on \(broker)", to: text)
    if let groupsFailure { text.append("  there may be more of them: \(groupsFailure.why)\n", .warning) }
    for name in unknownGroups { text.append("  \(name): there is no such group\n", .warning) }
    if groups.isEmpty && unknownGroups.isEmpty { text.append("  none\n" as StaticString) }
    let groupWidth = groups.map(\.description.group.count).max() ?? 0
    let stateWidth = groups.map(\.description.state.count).max() ?? 0
    for group in groups { append(group, groupWidth, stateWidth, columns, to: text) }
  }

  private func append(_ cluster: ClusterDescription, to text: ReportText) {
    let brokers = cluster.brokers.map { "\($0.id) at \($0.address)" }.joined(separator: ", ")
    text.append(
      "  cluster \(cluster.id ?? "without an id"), \(TextRows.count(cluster.brokers.count, "broker")): \(brokers)\n")
  }

  private func append(_ topic: Topic, nameWidth: Int, to text: ReportText) {
    let look = topic.look
    text.append("  " as StaticString)
    if let reason = look.reason {
      text.append("\(topic.name): partitions are unknown: \(reason)\n", .warning)
      return
    }
    TextRows.appendLeft(topic.name, width: nameWidth, to: text)
    text.append("  \(TextRows.count(look.partitions.count, "partition"))")
    let seen = look.partitions.compactMap(\.watermarks)
    let records = seen.reduce(0) { $0 + $1.high - $1.low }
    let unseen = look.partitions.count - seen.count
    text.append("  \(unseen > 0 ? "at least " : "")\(TextRows.count(records, "record"))")
    if unseen > 0 { text.append("  \(TextRows.count(unseen, "partition")) unknown", .warning) }
    let behind = look.placements.filter(\.isUnderReplicated).count
    if behind > 0 { text.append("  \(behind) under-replicated", .bad) }
    text.append("\n" as StaticString)
    guard detail.contains(.topics) else { return }
    let hasPlacements = look.placements.count == look.partitions.count && !look.placements.isEmpty
    appendTable(
      ["partition", "low", "high", "stable"] + (hasPlacements ? ["leader", "replicas", "in-sync"] : []),
      look.partitions.enumerated().map { number, partition in
        var row: [String]
        switch partition {
        case .seen(let marks): row = [String(number), String(marks.low), String(marks.high), String(marks.stable)]
        case .unseen(let reason): row = [String(number), "-", "-", Self.unknown(reason)]
        }
        guard hasPlacements else { return row }
        let place = look.placements[number]
        row += [place.leader.map(String.init) ?? "none", Self.ids(place.replicas)]
        return row + [Self.ids(place.inSync) + (place.isUnderReplicated ? " (under-replicated)" : "")]
      }, to: text)
  }

  private static func ids(_ brokers: [Int32]) -> String { brokers.map(String.init).joined(separator: ",") }

  private static func unknown(_ reason: String) -> String { "unknown (\(reason))" }

  private func append(_ group: Group, _ groupWidth: Int, _ stateWidth: Int, _ columns: Int, to text: ReportText) {
    let description = group.description
    text.append("  " as StaticString)
    TextRows.appendLeft(description.group, width: groupWidth, to: text)
    text.append("  " as StaticString)
    TextRows.appendLeft(description.state, width: stateWidth, to: text)
    let members = description.membersKnown ? TextRows.count(description.members.count, "member") : "members unknown"
    text.append("  \(members)  ")
    if let lag = group.lag.total.records {
      text.append("lag \(lag)", lag > 0 ? .warning : .good)
    } else {
      let atLeast = group.lag.atLeast > 0 ? ", at least \(group.lag.atLeast)" : ""
      text.append("lag unknown\(atLeast)", .warning)
    }
    if let words = group.explanation.words { text.append("  \(words)", .dim) }
    text.append("\n" as StaticString)
    if let failure = description.membersFailure { text.append("    members are unknown: \(failure.why)\n", .warning) }
    if let failure = description.committedFailure {
      text.append("    committed offsets are unknown: \(failure.why)\n", .warning)
    }
    guard detail.contains(.groups) else { return }
    for member in description.members {
      let owned = member.partitions.map(\.description).joined(separator: " ")
      text.append("    member \(member.id) on \(member.host): \(owned.isEmpty ? "no partitions" : owned)\n")
    }
    if group.explanation.looks > 1 || group.explanation.age.seconds != nil { group.explanation.appendLines(to: text) }
    let isExplained = group.explanation.looks > 1
    appendTable(
      ["partition", "committed", "stable", "lag"] + (isExplained ? LagExplanation.Partition.columns : []),
      zip(group.lag.partitions, group.explanation.partitions).map { partition, explained in
        let lag =
          switch partition.lag {
          case .known(let records): String(records)
          case .unknown(let reason): Self.unknown(reason)
          }
        return [
          partition.topicPartition.description, partition.committed.map(String.init) ?? "-",
          partition.stable.map(String.init) ?? "-", lag,
        ] + (isExplained ? explained.cells : [])
      }, within: columns, to: text)
  }

  /// A table with its first column left-aligned and the others right-aligned.
  /// - Parameter width: of the screen; where there is no room, columns go that the group's own lines have too.
  private func appendTable(
    _ head: [String], _ rows: [[String]], within width: Int = .max, to text: ReportText
  ) {
    guard !rows.isEmpty else { return }
    let widths = head.indices.map { column in ([head] + rows).map { $0[column].count }.max() ?? 0 }
    var shown = Array(head.indices)
    for name in LagExplanation.Partition.dispensableColumns
    where shown.reduce(2, { $0 + widths[$1] + 2 }) > width {
      shown.removeAll { head[$0] == name }
    }
    for (number, row) in ([head] + rows).enumerated() {
      text.append("    " as StaticString)
      let tone: Tone? = number == 0 ? .dim : nil
      TextRows.appendLeft(row[0], width: widths[0], tone, to: text)
      for column in shown.dropFirst() {
        TextRows.appendRight(row[column], width: widths[column] + 2, tone, to: text)
      }
      text.append(UInt8(ascii: "\n"))
    }
  }

  /// Of all groups that are shown; `nil` when one's is unknown, when there may be more of them, and when there is none.
  private var lag: Int64? {
    let known = groups.compactMap(\.lag.total.records)
    guard !known.isEmpty, known.count == groups.count, groupsFailure == nil else { return nil }
    return known.reduce(0) { $0.saturatingAdd($1) }
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
    json.member("lag", lag)
    json.member("lag_at_least", groups.reduce(0) { $0.saturatingAdd($1.lag.atLeast) })
    if let cluster { append(cluster, to: &json) }
  }

  private func append(_ cluster: ClusterDescription, to json: inout JSONWriter) {
    json.key("cluster")
    json.beginObject()
    json.member("id", cluster.id)
    json.key("brokers")
    json.beginArray()
    for broker in cluster.brokers {
      json.beginObject()
      json.member("id", Int64(broker.id))
      json.member("address", broker.address)
      json.endObject()
    }
    json.endArray()
    json.endObject()
  }

  private func append(_ placement: PartitionPlacement, to json: inout JSONWriter) {
    json.member("leader", placement.leader.map(Int64.init))
    for (key, brokers) in [("replicas", placement.replicas), ("in_sync", placement.inSync)] {
      json.key(key)
      json.beginArray()
      for broker in brokers { json.integer(broker) }
      json.endArray()
    }
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
      if topic.look.placements.indices.contains(number) { append(topic.look.placements[number], to: &json) }
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
    group.explanation.appendMembers(to: &json)
    json.key("partitions")
    json.beginArray()
    for (partition, explained) in zip(group.lag.partitions, group.explanation.partitions) {
      append(partition, explained, to: &json)
    }
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

  private func append(
    _ partition: GroupLag.Partition, _ explained: LagExplanation.Partition, to json: inout JSONWriter
  ) {
    json.beginObject()
    json.member("topic", partition.topicPartition.topic)
    json.member("partition", Int64(partition.topicPartition.partition))
    json.member("committed", partition.committed)
    json.member("stable", partition.stable)
    json.member("lag", partition.lag.records)
    json.member("reason", partition.lag.reason)
    json.member("lag_state", explained.state?.rawValue)
    json.member("lag_state_reason", explained.stateReason)
    LagExplanation.append(explained.age, explained.removal, explained.forecast, to: &json)
    json.endObject()
  }
}
