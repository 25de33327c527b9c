import CRdKafka
import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamKafka

/// What a transaction makes of the errors of its coordinator, which the mock cluster answers when it is told to.
struct CoordinatorErrorTests {
  /// A member with a transaction over one output, which has been given its partitions.
  private struct Pipe {
    let mock: MockBroker
    let member: TestConsumer
    var transaction: any Transaction { member.transaction! }

    init(_ prepare: (MockCluster) -> Void = { _ in }) throws {
      mock = try MockBroker()
      // The mock cluster answers no admin requests.
      mock.cluster.createTopic("orderstream-g-state", partitions: 3)
      mock.cluster.createTopic("out", partitions: 3)
      prepare(mock.cluster)
      let member = try TestConsumer(mock.broker, topic: MockBroker.topic, group: "g", outputs: ["out"])
      self.member = member
      try eventually("partitions") {
        try member.step(timeout: .milliseconds(100)); return member.assigned?.count == 3
      }
    }

    /// One transaction with a record on the output.
    func commit() throws {
      try MockBroker.lend(key: "k", value: "v") { key, value in
        try transaction.send(OutgoingRecord(partition: 0, timestampMs: 1, key: key, value: value), to: 0)
      }
      try transaction.commit([PartitionOffset(partition: 0, offset: 0)])
    }

    func close() {
      transaction.close()
      member.consumer.close()
    }
  }

  struct Fault: CustomTestStringConvertible, Sendable {
    var request: MockCluster.RequestKind
    var error: rd_kafka_resp_err_t
    var testDescription: String { "\(request) \(NativeError(error).name)" }
  }

  @Test(
    "what passes by itself costs a commit nothing but time",
    arguments: [
      Fault(request: .addPartitionsToTransaction, error: RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS),
      Fault(request: .addOffsetsToTransaction, error: RD_KAFKA_RESP_ERR_NOT_COORDINATOR),
      Fault(request: .commitOffsetsInTransaction, error: RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS),
      Fault(request: .endTransaction, error: RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE),
      // The request, or its answer, is lost.
      Fault(request: .endTransaction, error: RD_KAFKA_RESP_ERR__TRANSPORT),
    ])
  func passing(_ fault: Fault) throws {
    let pipe = try Pipe()
    defer { pipe.close() }
    try pipe.commit()
    pipe.mock.cluster.failNext(fault.request, with: [fault.error])
    try pipe.commit()
    try pipe.commit()
  }

  @Test(
    "what ends a transaction is told as such, and the next one succeeds after an abort",
    arguments: [
      Fault(request: .commitOffsetsInTransaction, error: RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION),
      Fault(request: .commitOffsetsInTransaction, error: RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID),
      Fault(request: .addPartitionsToTransaction, error: RD_KAFKA_RESP_ERR_PRODUCER_FENCED),
      Fault(request: .addOffsetsToTransaction, error: RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH),
      Fault(request: .endTransaction, error: RD_KAFKA_RESP_ERR_PRODUCER_FENCED),
      Fault(request: .endTransaction, error: RD_KAFKA_RESP_ERR_INVALID_TXN_STATE),
    ])
  func aborting(_ fault: Fault) throws {
    let pipe = try Pipe()
    defer { pipe.close() }
    try pipe.commit()
    pipe.mock.cluster.failNext(fault.request, with: [fault.error])
    let error = #expect(throws: BrokerError.self) { try pipe.commit() }
    #expect(error?.requiresAbort == true)
    try pipe.transaction.abort()
    try pipe.commit()
  }

  @Test("what is forbidden ends the run, and names the right that is missing")
  func forbidden() throws {
    let pipe = try Pipe()
    defer { pipe.close() }
    // Before the first transaction the group's offsets are looked at.
    pipe.mock.cluster.failNext(.fetchOffsets, with: [RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED])
    let unseen = #expect(throws: BrokerError.self) { try pipe.commit() }
    #expect(unseen?.code == .unauthorized && unseen?.recovery == .fatal)
    #expect(unseen?.why.contains("no right to DESCRIBE group g") == true)
    try pipe.commit()
    pipe.mock.cluster.failNext(.commitOffsetsInTransaction, with: [RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED])
    let error = #expect(throws: BrokerError.self) { try pipe.commit() }
    #expect(error?.code == .unauthorized && error?.recovery == .fatal)
    #expect(error?.why.contains("no right to READ group g") == true)
  }

  @Test("an identity that is fenced or busy while it is taken is taken again, without a warning")
  func identity() throws {
    let pipe = try Pipe { cluster in
      cluster.failNext(
        .initProducerID,
        with: [
          RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
          RD_KAFKA_RESP_ERR_PRODUCER_FENCED, RD_KAFKA_RESP_ERR_NO_ERROR,
        ])
    }
    defer { pipe.close() }
    try pipe.commit()
    #expect(!pipe.mock.log.all.contains { $0.level == .warning })
  }
}
