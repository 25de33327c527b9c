import CRdKafka
import OrderStreamCore
import OrderStreamThreads

/// Looks at groups and their committed offsets, as far as brokers and coordinators answer in time. Any thread.
struct GroupLook {
  /// Brokers that do not answer are waited for that long, or for half of the time when that is less: the rest is for
  /// coordinators.
  private static let listLimit = Duration.seconds(1)
  private static let pause = Duration.milliseconds(50)

  let context: KafkaContext
  /// The group to look at; `nil` for all.
  let name: String?

  /// Asks again while something fails that time heals.
  func listing(within limit: Duration) throws(BrokerError) -> GroupListing {
    let deadline = Deadline(limit, context.time)
    while true {
      let found = try listingOnce(until: deadline)
      let failures = found.groups.flatMap { [$0.membersFailure, $0.committedFailure] } + [found.failure]
      guard failures.contains(where: { $0?.isRetriable == true }), deadline.remaining > Self.pause else { return found }
      context.time.sleep(Self.pause)
    }
  }

  private func listingOnce(until deadline: Deadline) throws(BrokerError) -> GroupListing {
    let owned = try ownGroups(until: deadline)
    let found = brokersAnswer(deadline.remaining(atMost: min(Self.listLimit, deadline.remaining / 2)))
    // A coordinator may know a group that no broker lists, because one does not answer or this user may not see it.
    let names = found.names.union(name.map { [$0] } ?? []).sorted()
    let offsets = context.lookup.committedOffsets(of: names, until: deadline)
    var groups: [GroupDescription] = []
    for (name, offsets) in zip(names, offsets) {
      guard var group = describe(name, found, offsets) else { continue }
      group.beginsAtEarliest = owned(name)
      groups.append(group)
    }
    // Whether one group is there is known as soon as it or its coordinator has answered.
    let answered = name != nil && (found.groups[name ?? ""] != nil || groups.allSatisfy { $0.committedFailure == nil })
    return GroupListing(groups, failure: answered ? nil : found.failure)
  }

  // MARK: - What brokers tell

  private struct Answer {
    var names: Set<String>
    var groups: [String: NativeGroup]
    /// Why groups, or their descriptions, may be missing.
    var failure: BrokerError?
  }

  private func brokersAnswer(_ timeout: Duration) -> Answer {
    // Descriptions come with a call that forgets which brokers have failed; another one tells.
    let listing = BackgroundThread.endingByItself { [client = context.lookup] in
      Swift.Result { () throws(NativeError) in try client.consumerGroupNames(timeout) }
    }
    let described = context.lookup.askForGroups(name, timeout)
    var names = Set(described.groups.map(\.name))
    var failures = described.failure.map { [$0] } ?? []
    switch listing.join(timeout + .milliseconds(100)) {
    case .success(let listed):
      names.formUnion(listed.names.filter { name == nil || $0 == name })
      failures = listed.failures + failures
    case .failure(let error): failures.append(error)
    case nil: failures.append(NativeError(RD_KAFKA_RESP_ERR__TIMED_OUT))
    }
    return Answer(
      names: names, groups: Dictionary(described.groups.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first }),
      failure: failures.first.map(unlisted))
  }

  private func unlisted(_ error: NativeError) -> BrokerError {
    let isSilence = [RD_KAFKA_RESP_ERR__PARTIAL, RD_KAFKA_RESP_ERR__TIMED_OUT].contains(error.code)
    var mapped = context.errors.map(
      isSilence ? NativeError(RD_KAFKA_RESP_ERR__TIMED_OUT) : error, "cannot list groups",
      recovery: BrokerError.Recovery.none)
    if isSilence { mapped.why = "a broker did not answer in time" }
    return mapped
  }

  // MARK: - One group

  /// `nil` when there is no such group.
  private func describe(
    _ name: String, _ found: Answer, _ offsets: Swift.Result<[PartitionList.Element], NativeError>
  ) -> GroupDescription? {
    var description: GroupDescription
    if let group = found.groups[name] {
      description = self.description(group)
      description.membersFailure = Self.failure(of: group, context.errors)
      if !description.membersKnown {
        description.state = GroupDescription.unknownState
        description.members = []
      }
    } else {
      let why = found.failure?.why ?? "no broker describes it"
      description = GroupDescription(
        unknown: name,
        membersFailure: BrokerError(.timedOut, "cannot describe the group \(name)", why: why, recovery: .none))
    }
    switch offsets {
    case .success(let elements):
      for element in elements where element.offset >= 0 {
        description.committed[element.topicPartition] = element.offset
      }
    case .failure(let error):
      if error.code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND { break }
      // The code says it; the text names the steps of the client library.
      description.committedFailure = context.errors.map(
        NativeError(error.code), "cannot read the committed offsets of \(name)",
        needs: AccessRight(.describe, .group(name)))
    }
    let isThere = found.names.contains(name) || !description.committed.isEmpty || description.committedFailure != nil
    return isThere ? description : nil
  }

  /// Why a group that is there is not described.
  static func failure(of group: NativeGroup, _ errors: KafkaErrors) -> BrokerError? {
    let what = "cannot describe the group \(group.name)"
    switch group.error {
    case RD_KAFKA_RESP_ERR_NO_ERROR where group.state != "Dead": return nil
    // A broker that lists a group and then calls it dead has another protocol for it: consumer groups of KIP-848, share
    // and streams groups.
    case RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND:
      let version = String(cString: rd_kafka_version_str())
      return BrokerError(
        .unsupported, what, why: "it uses a group protocol that librdkafka \(version) does not describe",
        recovery: .none)
    default: return errors.map(NativeError(group.error), what, needs: AccessRight(.describe, .group(group.name)))
    }
  }

  private func description(_ group: NativeGroup) -> GroupDescription {
    let isConsumer = group.protocolType == "consumer"
    let members = group.members.map { member in
      GroupDescription.Member(
        id: member.id, host: member.host,
        partitions: isConsumer ? GroupAssignment(member.assignment).partitions : [],
        isOfThisProgram: isConsumer
          && [context.factory.clientID, context.factory.effectiveClientID].contains(member.clientID))
    }
    return GroupDescription(
      group: group.name, state: group.state, members: members.sorted { $0.id < $1.id }, committed: [:])
  }

  /// Tells groups of this program: those that have a state topic.
  private func ownGroups(until deadline: Deadline) throws(BrokerError) -> (String) -> Bool {
    let wanted = name.map(KafkaWords.stateTopic)
    let topics = try context.ask("cannot list topics", limit: deadline.remaining) { timeout throws(NativeError) in
      try context.lookup.metadata(wanted, timeout)
    }
    let known = Set(topics.filter { $0.error == RD_KAFKA_RESP_ERR_NO_ERROR }.map(\.name))
    return { known.contains(KafkaWords.stateTopic(of: $0)) }
  }
}
