import CRdKafka
import OrderStreamCore

/// One transactional client with its topics. A fatal error or a call past its deadline ends the link; the transaction
/// makes another one with the same identity.
final class TransactionLink {
  /// How long a start may wait for the coordinator to finish what an earlier owner of the identity left behind.
  private static let initLimit = Duration.seconds(60)
  /// How long a start may wait when no broker can be reached.
  private static let brokersDownLimit = Duration.seconds(30)

  let client: NativeClient
  private let topics: TopicArray

  /// - Parameter topics: Outputs by index, then the state topic.
  init(_ client: NativeClient, topics names: [String]) throws(NativeError) {
    self.client = client
    topics = try TopicArray(client, names)
  }

  /// Makes a client, and waits until the coordinator has given it the identity.
  static func open(
    identity: String, group: String, topics: [String], _ context: KafkaContext
  ) throws(BrokerError) -> TransactionLink {
    let what = "cannot write transactions of the group \(group)"
    let client = try context.factory.client(.transactional(id: identity))
    try takeIdentity(identity, client, what, context)
    do {
      let link = try TransactionLink(client, topics: topics)
      // The first transaction on a topic whose leaders the client does not know waits a second.
      for topic in topics { _ = try? client.metadata(topic, .seconds(5)) }
      return link
    } catch { throw context.errors.map(error, what) }
  }

  private static func takeIdentity(
    _ identity: String, _ client: NativeClient, _ what: String, _ context: KafkaContext
  ) throws(BrokerError) {
    var patience = Patience(
      "waiting for the coordinator to end an earlier transaction of \(identity)", limit: initLimit, context)
    let brokersDown = Deadline(brokersDownLimit, context.time)
    while true {
      do { return try client.initTransactions(.seconds(1)) } catch {
        client.poll(.zero)
        if client.events.allBrokersDown, brokersDown.hasPassed, let failure = client.events.lastFailure {
          throw context.errors.map(failure, what, recovery: .fatal)
        }
        let mapped = context.errors.map(error, what)
        guard !mapped.isFatal, mapped.isRetriable || mapped.code == .timedOut,
          patience.goesOn(isSilent: client.events.allBrokersDown)
        else { throw mapped }
      }
    }
  }

  func send(_ record: OutgoingRecord, to topic: Int) -> rd_kafka_resp_err_t {
    topics.send(record, to: topic)
  }

  /// The first delivery that failed, which is why a transaction must be aborted, or else what the call says itself.
  func cause(_ error: NativeError) -> NativeError {
    client.poll(.zero)
    return client.events.takeFailedDelivery() ?? error
  }

  /// Where librdkafka says "see the delivery reports": what the report says.
  func reason(_ error: NativeError) -> NativeError {
    guard error.requiresAbort, var report = client.events.takeFailedDelivery() else { return error }
    switch report.code {
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT: return error
    default:
      report.requiresAbort = true
      return report
    }
  }

  /// Gives up what is queued, so that nothing of it is reported when the client ends.
  func drop() {
    client.purge()
    try? client.flush(.milliseconds(100))
  }
}
