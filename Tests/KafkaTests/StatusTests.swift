import CRdKafka
import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamKafka

/// What can be seen of a cluster in which not everything answers.
struct StatusTests {
  private func looks(
    _ mock: MockBroker, within limit: Duration = .seconds(10)
  ) throws -> (partitions: [PartitionLook], time: Duration) {
    let admin = try mock.broker.admin()
    defer { admin.close() }
    let start = ContinuousClock.now
    let found = try admin.looks(at: [MockBroker.topic], within: limit)
    return (try #require(found[MockBroker.topic]).partitions, ContinuousClock.now - start)
  }

  private func fill(_ mock: MockBroker) throws {
    let producer = try mock.broker.producer(topic: MockBroker.topic, pace: .bulk)
    defer { producer.close() }
    try mock.send(300, by: producer)
    try producer.flush(timeout: .seconds(20))
  }

  @Test("a partition without a leader says so, at once, and hides no other")
  func leaderless() throws {
    let mock = try MockBroker()
    try fill(mock)
    mock.cluster.setLeader(MockBroker.topic, 1, broker: -1)
    let found = try looks(mock)
    #expect(found.partitions.map { $0.watermarks?.high } == [100, nil, 100])
    #expect(found.partitions[1].reason == "it has no leader" && found.time < .seconds(8))
  }

  @Test("a leader that does not answer costs the time given, and hides no partition of others")
  func silentLeader() throws {
    let mock = try MockBroker(brokers: 3)
    for partition in Int32(0)..<3 { mock.cluster.setLeader(MockBroker.topic, partition, broker: partition + 1) }
    try fill(mock)
    #expect(try looks(mock).partitions.allSatisfy { $0.watermarks?.high == 100 })
    mock.cluster.setDown(broker: 2)
    let found = try looks(mock, within: .seconds(2))
    #expect(found.partitions.map { $0.watermarks?.high } == [100, nil, 100])
    let reason = try #require(found.partitions[1].reason)
    #expect(reason.contains("broker 2") && reason.contains("did not answer"), "\(reason)")
    #expect(found.time < .seconds(6))
  }

  @Test("a group that a broker lists and then calls dead is unknown; others are as they are described")
  func undescribed() throws {
    let errors = KafkaErrors(redactor: Redactor(properties: []), brokers: "b")
    func failure(_ error: rd_kafka_resp_err_t, _ state: String) -> BrokerError.Code? {
      let group = NativeGroup(name: "g", error: error, state: state, protocolType: "", members: [])
      return GroupLook.failure(of: group, errors)?.code
    }
    for state in ["Stable", "Empty", "PreparingRebalance", "CompletingRebalance"] {
      #expect(failure(RD_KAFKA_RESP_ERR_NO_ERROR, state) == nil)
    }
    #expect(failure(RD_KAFKA_RESP_ERR_NO_ERROR, "Dead") == .unsupported)
    #expect(failure(RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND, "Dead") == .unsupported)
    #expect(failure(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, "") == .unauthorized)
    #expect(failure(RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, "") == .timedOut)
  }
}

private let testBrokers = ProcessInfo.processInfo.environment["ORDERSTREAM_TEST_BROKERS"] ?? ""

/// Groups of other programs, on a real cluster: offsets that only those commit.
@Suite(.enabled(if: !testBrokers.isEmpty, "ORDERSTREAM_TEST_BROKERS names no cluster"))
struct OtherProgramsTests {
  private let name = "foreign-\(String(UInt32.random(in: 0 ... .max), radix: 36))"

  /// The lag of a group of another program on a topic of two partitions with ten records each, the first four of
  /// partition 0 gone.
  private func partitions(committed: [PartitionOffset]) throws -> GroupLag {
    let broker = try KafkaBroker.connect(brokers: testBrokers, log: SilentLog(), time: SystemTime())
    try broker.createTopic(name, partitions: 2)
    defer { try? broker.change(.deleteTopic(name)) }
    try broker.produce(20, to: name, partitions: 2)
    try broker.change(.deleteRecords(TopicPartition(topic: name, partition: 0), before: 4))
    let client = try broker.context.factory.client(.consumer(group: name, instance: nil))
    try client.commit(PartitionList(topic: name, committed))
    defer { try? broker.change(.deleteGroup(name)) }
    let admin = try broker.admin()
    defer { admin.close() }
    let group = try #require(try admin.group(name))
    #expect(!group.beginsAtEarliest && group.membersKnown && group.state == "Empty")
    return GroupLag(of: group, in: [name], looks: try admin.looks(at: [name], within: .seconds(5)))
  }

  @Test("an offset beyond the end is unknown, and the rest is summed")
  func beyond() throws {
    let lag = try partitions(committed: [.init(partition: 0, offset: 1_000_000), .init(partition: 1, offset: 3)])
    #expect(lag.partitions.map(\.lag) == [.unknown(reason: "committed beyond the end at 10"), .known(7)])
    #expect(lag.total.records == nil && lag.atLeast == 7)
  }

  @Test("an offset below the start counts no record that is gone")
  func below() throws {
    let lag = try partitions(committed: [.init(partition: 0, offset: 1), .init(partition: 1, offset: 10)])
    #expect(lag.total == .known(6))
  }

  @Test("where another program begins is not known")
  func nothingCommitted() throws {
    let lag = try partitions(committed: [.init(partition: 0, offset: 10)])
    #expect(lag.partitions.map(\.lag) == [.known(0), .unknown(reason: "nothing committed")])
  }

  @Test("a group that nobody has heard of is none")
  func none() throws {
    let broker = try KafkaBroker.connect(brokers: testBrokers, log: SilentLog(), time: SystemTime())
    let admin = try broker.admin()
    defer { admin.close() }
    #expect(try admin.groupListing(named: name, within: .seconds(5)) == GroupListing([]))
  }
}

/// What a cluster tells of a transaction of somebody who cannot be asked.
@Suite(.enabled(if: !testBrokers.isEmpty, "ORDERSTREAM_TEST_BROKERS names no cluster"))
struct TransactionEvidenceTests {
  private let name = "evidence-\(String(UInt32.random(in: 0 ... .max), radix: 36))"

  @Test(
    "offsets that wait for a transaction are seen, and how it ended is in the coordinator's log",
    arguments: [true, false])
  func evidence(commits: Bool) throws {
    let broker = try KafkaBroker.connect(brokers: testBrokers, log: SilentLog(), time: SystemTime())
    let context = broker.context
    try broker.createTopic(name, partitions: 2)
    defer { try? broker.change(.deleteTopic(name)) }
    let member = try context.factory.client(.consumer(group: name, instance: nil))
    try member.commit(PartitionList(topic: name, [.init(partition: 0, offset: 1), .init(partition: 1, offset: 1)]))
    defer { try? broker.change(.deleteGroup(name)) }

    let link = try TransactionLink.open(
      identity: name, group: name, topics: [name], limits: OutputLimits(bytes: []), context)
    let begin = context.time.wallMilliseconds
    try link.client.beginTransaction()
    let metadata = try #require(GroupMetadata(group: name))
    try link.client.sendOffsets(PartitionList(topic: name, [.init(partition: 1, offset: 2)]), metadata)
    func waiting() throws -> [Int32] {
      try context.lookup.committedOffsets(group: name, stable: (name, 2), .seconds(10))
        .filter { $0.error == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT }.map(\.topicPartition.partition)
    }
    #expect(try waiting() == [1])
    let all = try context.lookup.committedOffsets(group: name, .seconds(10))
    #expect(Set(all.map(\.offset)) == [1], "as it was before")
    if commits { try link.client.commitTransaction() } else { try link.client.abortTransaction() }
    // The coordinator of the group hears of it a little later.
    try eventually("the end of the transaction") { try waiting().isEmpty }

    let heir = try TransactionLink.open(
      identity: name, group: name, topics: [name], limits: OutputLimits(bytes: []), context)
    let outcome = CoordinatorLog.outcome(of: name, firstMs: begin, takenMs: heir.takenMs, context)
    #expect(outcome == (commits ? .committed : .aborted))
    #expect(CoordinatorLog.outcome(of: "\(name)-other", firstMs: begin, takenMs: heir.takenMs, context) == .unknown)
    link.drop()
    heir.drop()
  }
}

extension NativeClient {
  /// Commits as programs without transactions do.
  fileprivate func commit(_ list: borrowing PartitionList) throws(NativeError) {
    try NativeError.check(rd_kafka_commit(pointer, list.pointer, 0))
  }
}
