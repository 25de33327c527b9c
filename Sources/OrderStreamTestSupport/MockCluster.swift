import CRdKafka

/// A Kafka cluster inside the test process: librdkafka's own mock brokers on loopback ports. Good for produce, fetch,
/// groups, commits and injected faults. It lies about transactions, admin requests, times, retention, static membership,
/// authentication and TLS: test those on a real broker.
public final class MockCluster: @unchecked Sendable {
  // Sendable: the mock cluster's functions post to its own thread, and the pointers never change.
  private let client: OpaquePointer
  private let cluster: OpaquePointer

  /// - Parameter brokers: Their ids are 1…`brokers`.
  public init(brokers: Int = 1) {
    let configuration = rd_kafka_conf_new()
    rd_kafka_conf_set_log_cb(configuration) { _, _, _, _ in }
    var reason = [CChar](repeating: 0, count: 256)
    guard let client = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, &reason, reason.count),
      let cluster = rd_kafka_mock_cluster_new(client, Int32(brokers))
    else { preconditionFailure("the mock cluster of librdkafka does not start") }
    self.client = client
    self.cluster = cluster
  }

  deinit {
    rd_kafka_mock_cluster_destroy(cluster)
    rd_kafka_destroy(client)
  }

  /// `host:port,…`
  public var bootstrapServers: String { String(cString: rd_kafka_mock_cluster_bootstraps(cluster)) }

  public func createTopic(_ name: String, partitions: Int32) {
    require(rd_kafka_mock_topic_create(cluster, name, partitions, 1))
  }

  /// Answers the next requests of that kind with these errors; `RD_KAFKA_RESP_ERR__TRANSPORT` closes the connection
  /// before the request is read.
  public func failNext(_ request: RequestKind, with errors: [rd_kafka_resp_err_t]) {
    rd_kafka_mock_push_request_errors_array(cluster, request.rawValue, errors.count, errors)
  }

  /// Handles the next request of that kind on a broker, and answers `delayMs` later: longer than the client waits is a
  /// lost acknowledgement.
  public func delayNext(_ request: RequestKind, broker: Int32 = 1, delayMs: Int32) {
    require(
      orderstream_rd_kafka_mock_push_error_rtt(
        cluster, broker, request.rawValue, RD_KAFKA_RESP_ERR_NO_ERROR, delayMs))
  }

  public func setDown(broker: Int32 = 1) { require(rd_kafka_mock_broker_set_down(cluster, broker)) }
  public func setUp(broker: Int32 = 1) { require(rd_kafka_mock_broker_set_up(cluster, broker)) }

  /// Moves the coordinator of a group to a broker.
  public func setCoordinator(ofGroup group: String, broker: Int32) {
    require(rd_kafka_mock_coordinator_set(cluster, "group", group, broker))
  }

  public func setLeader(_ topic: String, _ partition: Int32, broker: Int32) {
    require(rd_kafka_mock_partition_set_leader(cluster, topic, partition, broker))
  }

  /// Numbers of Kafka's protocol.
  public enum RequestKind: Int16, Sendable {
    case produce = 0
    case fetch = 1
    case metadata = 3
    case fetchOffsets = 9
    case initProducerID = 22
    case addPartitionsToTransaction = 24
    case addOffsetsToTransaction = 25
    case endTransaction = 26
    case commitOffsetsInTransaction = 28
  }

  private func require(_ code: rd_kafka_resp_err_t) {
    precondition(
      code == RD_KAFKA_RESP_ERR_NO_ERROR, "the mock cluster refuses: \(String(cString: rd_kafka_err2str(code)))")
  }
}
