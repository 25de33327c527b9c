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

  /// How long groups and then partitions may take to answer in all; what has not answered by then is unknown. With the
  /// way to the cluster it makes less than 3 s.
  private static let limit = Duration.milliseconds(2000)
  /// How much of that groups may take.
  private static let groupLimit = Duration.milliseconds(1200)

  private func look(_ broker: String, _ admin: any Admin) throws(BrokerError) -> StatusReport {
    let topics = try admin.topics(named: options.topic).filter { context.options.verbose || !$0.isInternal }
    let start = context.time.monotonicNanoseconds
    // Before the partitions, so that no commit in between looks like one beyond the end.
    let listing = try admin.groupListing(named: options.group, within: Self.groupLimit)
    if options.group != nil { try refuse(listing) }
    let read = listing.groups.map(topicsRead)
    let passed = Duration.nanoseconds(context.time.monotonicNanoseconds - start)
    let names = Set(topics.map(\.name)).union(read.joined())
    let looks = try admin.looks(at: names.sorted(), within: Self.limit - passed)
    return StatusReport(
      broker: broker,
      // A topic may be deleted while we look.
      topics: topics.compactMap { topic in looks[topic.name].map { StatusReport.Topic(name: topic.name, look: $0) } },
      groups: zip(listing.groups, read).map { group, topics in
        StatusReport.Group(group, lag: GroupLag(of: group, in: topics, looks: looks))
      },
      groupsFailure: listing.failure)
  }

  private func topicsRead(by group: GroupDescription) -> Set<String> {
    let topics = Set(group.usedPartitions.map(\.topic))
    return options.topic.map { topics.intersection([$0]) } ?? topics
  }

  /// Who asks for one group and may not see it is told so; an empty list would be a false answer.
  private func refuse(_ listing: GroupListing) throws(BrokerError) {
    for group in listing.groups {
      for failure in [group.committedFailure, group.membersFailure].compactMap({ $0 })
      where [.unauthorized, .authentication].contains(failure.code) { throw failure }
    }
  }
}
