import CRdKafka
import OrderStreamCore

/// One transactional client with its topics. A fatal error or a call past its deadline ends the link; the transaction
/// makes another one with the same identity.
final class TransactionLink {
  /// How long a start may wait at the least for the coordinator, which may be finishing what an earlier owner of the
  /// identity left behind, and how much of that needs no words.
  private static let initLimit = Duration.seconds(60)
  private static let initNoteAfter = Duration.seconds(10)
  private static let fencedPause = Duration.milliseconds(200)

  let client: NativeClient
  /// When the identity was taken, milliseconds since 1970.
  let takenMs: Int64
  private let topics: TopicArray
  private var failuresSeen = 0

  /// - Parameter topics: Outputs by index, then the state topic.
  init(_ client: NativeClient, topics names: [String], takenMs: Int64) throws(NativeError) {
    self.client = client
    self.takenMs = takenMs
    topics = try TopicArray(client, names)
  }

  /// Makes a client, and waits until the coordinator has given it the identity.
  static func open(
    identity: String, group: String, topics: [String], limits: OutputLimits, _ context: KafkaContext
  ) throws(BrokerError) -> TransactionLink {
    let what = "cannot write transactions of the group \(group)"
    let client = try clientWithIdentity(identity, limits, what, context)
    do {
      let link = try TransactionLink(client, topics: topics, takenMs: context.time.wallMilliseconds)
      // The first transaction on a topic whose leaders the client does not know waits a second.
      for topic in topics { _ = try? client.metadata(topic, .seconds(5)) }
      return link
    } catch { throw context.errors.map(error, what) }
  }

  private static func clientWithIdentity(
    _ identity: String, _ limits: OutputLimits, _ what: String, _ context: KafkaContext
  ) throws(BrokerError) -> NativeClient {
    let wait = OutageWait(context.outages, atLeast: initLimit, noteAfter: initNoteAfter)
    while true {
      let client = try context.factory.client(.transactional(id: identity, limits: limits))
      do throws(BrokerError) {
        try takeIdentity(identity, client, what, wait, context)
        return client
      } catch {
        // Taking an identity fences whoever takes it at the same time: also this client's own request whose answer was
        // lost with its coordinator, which another one goes on with.
        guard error.code == .fenced, wait.goesOn(because: error, pause: fencedPause) else { throw error }
      }
    }
  }

  private static func takeIdentity(
    _ identity: String, _ client: NativeClient, _ what: String, _ wait: OutageWait, _ context: KafkaContext
  ) throws(BrokerError) {
    while true {
      do {
        try client.initTransactions(.seconds(1))
        return wait.answered()
      } catch {
        client.poll(.zero)
        let isCutOff = client.events.allBrokersDown
        client.events.clearBrokersDown()
        let mapped = context.errors.map(error, what, needs: AccessRight(.write, .transactionalID(identity)))
        guard !mapped.isFatal, mapped.passesByItself else { throw mapped }
        let cause = isCutOff ? client.events.lastFailure : nil
        let told = cause.map { context.errors.map($0, what, recovery: .fatal) } ?? mapped
        guard wait.goesOn(because: told) else { throw told }
      }
    }
  }

  /// - Parameter marked: Whether `ClientEvents.takeDeliveredMark` is to tell where the record came to lie.
  func send(_ record: OutgoingRecord, to topic: Int, marked: Bool) -> rd_kafka_resp_err_t {
    topics.send(record, to: topic, tag: marked ? 1 : 0)
  }

  /// Whether the client has lost a broker since it was asked last.
  func takeDisruption() -> Bool {
    client.poll(.zero)
    let count = client.events.failures
    defer { failuresSeen = count }
    return count != failuresSeen
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
