/// What `delete` would remove, or has removed.
public struct DeletionReport: Report {
  public let command: StaticString = "delete"
  public var broker: String
  public var plan: Deletion.Plan
  public var executed: Bool
  /// What was to go and is still there: `group analytics`.
  public var left: [String]
  public var completion: Completion

  public init(
    broker: String, plan: Deletion.Plan, executed: Bool, left: [String] = [], completion: Completion = .whole
  ) {
    self.broker = broker
    self.plan = plan
    self.executed = executed
    self.left = left
    self.completion = completion
  }

  public func appendBody(to text: ReportText) {
    TextRows.append(title: executed ? "Removed from \(broker)" : "To be removed from \(broker)", to: text)
    for group in plan.groups {
      TextRows.append(
        "Group \(group.name)",
        "\(TextRows.count(group.offsets, "committed offset")), \(TextRows.count(group.stateRecords, "state record"))",
        to: text)
    }
    for topic in plan.topics {
      TextRows.append(
        "Topic \(topic.name)",
        "\(TextRows.count(Int64(topic.partitions), "partition")), \(TextRows.count(topic.records, "record"))"
          + (topic.readers.isEmpty ? "" : ", read by \(topic.readers.joined(separator: " "))"), to: text)
    }
    for start in plan.starts {
      TextRows.append(
        start.place.description, "\(TextRows.count(start.records, "record")), from \(start.low) to \(start.before - 1)",
        to: text)
    }
    for name in left { TextRows.append("Left", name, .bad, to: text) }
    if !completion.isCutShort {
      TextRows.append("Result", result, left.isEmpty ? (executed ? .good : nil) : .bad, to: text)
    }
  }

  private var result: String {
    var things = [(plan.groups.count, "group"), (plan.topics.count, "topic")].filter { $0.0 > 0 }
      .map { TextRows.count(Int64($0.0), $0.1) }
    if plan.topics.count > 0 || plan.groups.isEmpty || plan.records > 0 {
      things.append(TextRows.count(plan.records, "record"))
    }
    let list = things.joined(separator: ", ")
    return executed ? "\(list) removed" : "\(list) would be removed; nothing was, add --execute to do it"
  }

  public func appendMembers(to json: inout JSONWriter) {
    json.member("executed", executed)
    json.member("records", plan.records)
    json.key("topics")
    json.beginArray()
    for topic in plan.topics {
      json.beginObject()
      json.member("name", topic.name)
      json.member("partitions", Int64(topic.partitions))
      json.member("records", topic.records)
      append("readers", topic.readers, to: &json)
      json.endObject()
    }
    json.endArray()
    json.key("groups")
    json.beginArray()
    for group in plan.groups {
      json.beginObject()
      json.member("group", group.name)
      json.member("offsets", Int64(group.offsets))
      json.member("state_records", Int64(group.stateRecords))
      json.endObject()
    }
    json.endArray()
    json.key("starts")
    json.beginArray()
    for start in plan.starts {
      json.beginObject()
      json.member("topic", start.place.topic)
      json.member("partition", Int64(start.place.partition))
      json.member("low", start.low)
      json.member("before", start.before)
      json.member("records", start.records)
      append("unread_by", start.unreadBy, to: &json)
      json.endObject()
    }
    json.endArray()
    append("left", left, to: &json)
  }

  private func append(_ key: String, _ names: [String], to json: inout JSONWriter) {
    json.key(key)
    json.beginArray()
    for name in names { json.string(name) }
    json.endArray()
  }
}
