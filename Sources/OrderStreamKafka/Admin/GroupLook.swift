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
      // One without state is known by what stands beside its offsets.
      let marked = ((try? offsets.get()) ?? []).contains { OffsetMark($0.metadata) != nil }
      group.beginsAtEarliest = owned(name) || marked
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
    let wanted = name.map(StateTopic.name)
    let topics = try context.ask("cannot list topics", limit: deadline.remaining) { timeout throws(NativeError) in
      try context.lookup.metadata(wanted, timeout)
    }
    let known = Set(topics.filter { $0.error == RD_KAFKA_RESP_ERR_NO_ERROR }.map(\.name))
    return { known.contains(StateTopic.name(of: $0)) }
  }
}

/// Reads the assignment of a consumer group's member as Kafka's consumer protocol writes it: version (2 bytes), then for
/// each topic its name and its partitions; integers big-endian, sizes from the network and therefore not trusted.
struct GroupAssignment {
  /// Sorted. Empty when the bytes are of another protocol or damaged.
  let partitions: [TopicPartition]

  init(_ bytes: [UInt8]) {
    var reader = Reader(rest: bytes[...])
    partitions = (try? reader.assignment()) ?? []
  }

  private struct Damaged: Error {}

  private struct Reader {
    var rest: ArraySlice<UInt8>

    mutating func assignment() throws(Damaged) -> [TopicPartition] {
      _ = try integer(2)
      var found: [TopicPartition] = []
      for _ in 0..<(try count(ofAtLeast: 6)) {
        let length = try integer(2)
        guard length >= 0 else { throw Damaged() }
        let topic = String(decoding: try take(length), as: UTF8.self)
        for _ in 0..<(try count(ofAtLeast: 4)) {
          found.append(TopicPartition(topic: topic, partition: Int32(truncatingIfNeeded: try integer(4))))
        }
      }
      return found.sorted()
    }

    /// The length of an array whose elements have at least `size` bytes, so that a wrong one ends the reading at once.
    mutating func count(ofAtLeast size: Int) throws(Damaged) -> Int {
      let count = try integer(4)
      guard count >= 0, count * size <= rest.count else { throw Damaged() }
      return count
    }

    mutating func integer(_ size: Int) throws(Damaged) -> Int {
      let bits = try take(size).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      return Int(Int64(bitPattern: bits << (64 - UInt64(size) * 8)) >> (64 - Int64(size) * 8))
    }

    mutating func take(_ count: Int) throws(Damaged) -> ArraySlice<UInt8> {
      guard count <= rest.count else { throw Damaged() }
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count)
    }
  }
}
