import OrderStreamCore

/// `status`: topics, watermarks, groups, committed offsets and lag. Changes nothing.
struct StatusCommand {
  let options: StatusOptions
  let context: CommandContext

  func run() throws(CommandError) -> ExitCode {
    let broker = try context.openBroker(onlyLooks: true, outages: .look)
    let report = try CommandError.wrap { () throws(BrokerError) in
      let admin = try broker.admin()
      defer { admin.close() }
      return try look(broker.name, admin)
    }
    try context.emit(report, broker: broker.name, activeMilliseconds: nil)
    return .success
  }

  private func look(_ broker: String, _ admin: any Admin) throws(BrokerError) -> StatusReport {
    let descriptions = try admin.topics(named: options.topic)
    var marks: [String: [Watermarks]] = [:]
    var topics: [StatusReport.Topic] = []
    for topic in descriptions where context.options.verbose || !topic.isInternal {
      // A topic may be deleted while we look.
      guard let watermarks = try watermarks(topic.name, admin) else { continue }
      marks[topic.name] = watermarks
      topics.append(StatusReport.Topic(name: topic.name, partitions: watermarks))
    }
    var groups: [StatusReport.Group] = []
    for group in try admin.groups(named: options.group) {
      groups.append(try look(group, &marks, admin))
    }
    return StatusReport(broker: broker, topics: topics, groups: groups)
  }

  private func look(
    _ group: GroupDescription, _ marks: inout [String: [Watermarks]], _ admin: any Admin
  ) throws(BrokerError) -> StatusReport.Group {
    var found = Set(group.committed.keys)
    for member in group.members { found.formUnion(member.partitions) }
    if let topic = options.topic { found = found.filter { $0.topic == topic } }
    var partitions: [StatusReport.Group.Partition] = []
    for topic in Set(found.map(\.topic)).sorted() {
      if marks[topic] == nil, let watermarks = try watermarks(topic, admin) { marks[topic] = watermarks }
      let known = marks[topic] ?? []
      let numbers = Set(known.indices.map { Int32($0) }).union(found.filter { $0.topic == topic }.map(\.partition))
      for number in numbers.sorted() {
        let partition = TopicPartition(topic: topic, partition: number)
        partitions.append(
          StatusReport.Group.Partition(
            partition, committed: group.committed[partition],
            stable: known.indices.contains(Int(number)) ? known[Int(number)].stable : nil))
      }
    }
    return StatusReport.Group(group, partitions: partitions)
  }

  /// `nil` when the topic is gone.
  private func watermarks(_ topic: String, _ admin: any Admin) throws(BrokerError) -> [Watermarks]? {
    do throws(BrokerError) {
      return try admin.watermarks(topic: topic)
    } catch  where error.code == .unknownTopic {
      return nil
    }
  }
}
