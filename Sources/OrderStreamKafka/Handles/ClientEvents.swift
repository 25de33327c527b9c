import CRdKafka
import OrderStreamCore
import Synchronization

/// What one client says by itself: log lines, errors, rebalances, failed deliveries. Given to librdkafka as its opaque
/// pointer, so it must outlive the client; called from librdkafka's threads and from the threads that poll.
final class ClientEvents: Sendable {
  /// A change of assignment that the group asks for and that has not been answered.
  enum Rebalance: Sendable {
    case assign([Int32])
    case revoke(lost: Bool)
  }

  private struct State {
    var lastFailure: NativeError?
    var authenticationFailure: NativeError?
    var allBrokersDown = false
    /// Whether every complaint so far is that a connection was refused.
    var onlyRefusals = true
    var failures = 0
    var rebalance: Rebalance?
    var failedDelivery: NativeError?
    var deliveredMark: RecordMark?
    var refusedTopics: Set<String> = []
    var oversizedTopics: Set<String> = []
  }

  private let log: any LogSink
  private let redactor: Redactor
  private let state = Mutex(State())
  /// What the next record would be numbered if it were of a batch without offsets; below 0 where it cannot be.
  private let invented = Atomic<Int64>(-1)

  init(log: any LogSink, redactor: Redactor) {
    self.log = log
    self.redactor = redactor
  }

  /// The latest complaint about a connection, for the "why" of an error.
  var lastFailure: NativeError? { state.withLock { $0.lastFailure } }

  /// Set once a broker has refused the credentials.
  var authenticationFailure: NativeError? { state.withLock { $0.authenticationFailure } }

  func forgetRefusal() { state.withLock { $0.authenticationFailure = nil } }

  /// Whether no broker could be reached the last time that librdkafka looked; `clearBrokersDown` forgets it.
  var allBrokersDown: Bool { state.withLock { $0.allBrokersDown } }

  /// Whether no address could be reached, because each refuses connections.
  var isRefusedEverywhere: Bool { state.withLock { $0.allBrokersDown && $0.onlyRefusals && $0.lastFailure != nil } }

  /// Complaints so far.
  var failures: Int { state.withLock { $0.failures } }

  func clearBrokersDown() { state.withLock { $0.allBrokersDown = false } }

  /// The rebalance that was recorded since the last call, if any.
  func takeRebalance() -> Rebalance? {
    state.withLock { state in
      defer { state.rebalance = nil }
      return state.rebalance
    }
  }

  var hasRebalance: Bool { state.withLock { $0.rebalance != nil } }

  /// Why the first record failed since the last call (clients with the report callback only).
  func takeFailedDelivery() -> NativeError? {
    state.withLock { state in
      defer { state.failedDelivery = nil }
      return state.failedDelivery
    }
  }

  /// Topics to which this client may not write, as far as brokers have said so.
  var refusedTopics: Set<String> { state.withLock { $0.refusedTopics } }

  /// Topics for which a batch of this client was too large.
  var oversizedTopics: Set<String> { state.withLock { $0.oversizedTopics } }

  /// Where the last record with a tag came to lie, since the last call (clients with the report callback only).
  func takeDeliveredMark() -> RecordMark? {
    state.withLock { state in
      defer { state.deliveredMark = nil }
      return state.deliveredMark
    }
  }

  func warn(_ text: String) { log.log(.warning, redactor.redact(text)) }

  private static func of(_ opaque: UnsafeMutableRawPointer) -> ClientEvents {
    Unmanaged<ClientEvents>.fromOpaque(opaque).takeUnretainedValue()
  }

  static let logCallback: @convention(c) (OpaquePointer?, Int32, UnsafePointer<CChar>?, UnsafePointer<CChar>?) -> Void =
    { client, level, facility, text in
      guard let client, let opaque = rd_kafka_opaque(client) else { return }
      ClientEvents.of(opaque).logged(
        level, facility: facility.map { String(cString: $0) } ?? "", text: text.map { String(cString: $0) } ?? "")
    }

  static let errorCallback:
    @convention(c) (OpaquePointer?, Int32, UnsafePointer<CChar>?, UnsafeMutableRawPointer?) -> Void = {
      client, code, reason, opaque in
      guard let opaque else { return }
      let text = reason.map { String(cString: $0) }
      ClientEvents.of(opaque).failed(NativeError(rd_kafka_resp_err_t(rawValue: code), text: text))
    }

  static let rebalanceCallback:
    @convention(c) (
      OpaquePointer?, rd_kafka_resp_err_t, UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?,
      UnsafeMutableRawPointer?
    ) -> Void = { client, code, list, opaque in
      guard let client, let opaque else { return }
      let events = ClientEvents.of(opaque)
      if code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
        let count = Int(list?.pointee.cnt ?? 0)
        events.record(.assign((0..<count).map { list!.pointee.elems[$0].partition }.sorted()))
      } else {
        events.record(.revoke(lost: rd_kafka_assignment_lost(client) != 0))
      }
      rd_kafka_yield(client)
    }

  static let reportCallback:
    @convention(c) (OpaquePointer?, UnsafePointer<rd_kafka_message_t>?, UnsafeMutableRawPointer?) -> Void = {
      _, message, opaque in
      guard let message, let opaque else { return }
      guard message.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR else {
        let events = ClientEvents.of(opaque)
        let isTold = events.isTold(message.pointee.offset)
        if isTold && message.pointee._private != nil { events.delivered(message) }
        return
      }
      let error = NativeError(message.pointee.err)
      let topic: String? =
        switch error.code {
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
          message.pointee.rkt.flatMap { rd_kafka_topic_name($0) }.map { String(cString: $0) }
        default: nil
        }
      ClientEvents.of(opaque).state.withLock { state in
        state.failedDelivery = state.failedDelivery ?? error
        guard let topic else { return }
        if error.code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE {
          state.oversizedTopics.insert(topic)
        } else {
          state.refusedTopics.insert(topic)
        }
      }
    }

  /// Whether a broker has told this offset. librdkafka 2.0.2 numbers the records of a batch from that of the first one,
  /// which is −1 where the broker had the batch already and dropped it: −1, 0, 1, 2. A record 0 right behind such a batch
  /// is taken for one of it.
  private func isTold(_ offset: Offset) -> Bool {
    if offset < 0 {
      invented.store(0, ordering: .relaxed)
      return false
    }
    let next = invented.load(ordering: .relaxed)
    if next < 0 { return true }
    let isInvented = offset == next
    invented.store(isInvented ? next + 1 : -1, ordering: .relaxed)
    return !isInvented
  }

  private func delivered(_ message: UnsafePointer<rd_kafka_message_t>) {
    var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
    let mark = RecordMark(
      partition: message.pointee.partition, offset: message.pointee.offset,
      timestampMs: rd_kafka_message_timestamp(message, &type),
      key: message.pointee.key.map { UnsafeRawBufferPointer(start: $0, count: message.pointee.key_len) },
      value: message.pointee.payload.map { UnsafeRawBufferPointer(start: $0, count: message.pointee.len) })
    state.withLock { $0.deliveredMark = mark }
  }

  private func record(_ rebalance: Rebalance) { state.withLock { $0.rebalance = rebalance } }

  private static let told = Mutex<Set<String>>([])
  private static let toldLimit = 100

  /// Whether a line is said for the first time in this process. What stands before the first `]` names the thread.
  private static func isNews(_ text: String) -> Bool {
    let start = text.firstIndex(of: "]").map { text.index(after: $0) } ?? text.startIndex
    return told.withLock { $0.count < toldLimit && $0.insert(String(text[start...])).inserted }
  }

  private func logged(_ level: Int32, facility: String, text: String) {
    // Every client is given all properties of the user; which of them it does not use is not news.
    if facility == "CONFWARN" && text.contains("will be ignored by this") { return }
    // Of a transaction librdkafka says nowhere else which topic was refused.
    if facility == "ADDPARTS" && text.contains("Topic authorization failed") {
      let parts = text.split(separator: "\"")
      if parts.count >= 3 { state.withLock { _ = $0.refusedTopics.insert(String(parts[1])) } }
    }
    // Every client of the process repeats what librdkafka thinks of the configuration.
    if facility == "CONFWARN" && !Self.isNews(text) { return }
    log.log(logLevel(level, facility: facility), redactor.redact("librdkafka: \(text)"))
  }

  /// Facilities of librdkafka whose lines tell of something that nobody else tells of: configuration, a caller that does not
  /// poll, brokers that break the protocol.
  private static let warnings: Set<String> = ["CONFWARN", "MAXPOLL", "PROTOERR", "PROTOUFLOW", "BADMSG", "CLOSE"]

  private func logLevel(_ level: Int32, facility: String) -> LogLevel {
    switch level {
    // What passes by itself is said as an outage, and what does not is thrown.
    case ...4: return Self.warnings.contains(facility) ? .warning : .info
    case 5: return .notice
    case 6: return .info
    default: return .debug
    }
  }

  private func failed(_ error: NativeError) {
    state.withLock { state in
      state.failures += 1
      if error.code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !error.text.contains("Connection refused") {
        state.onlyRefusals = false
      }
      switch error.code {
      case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        state.allBrokersDown = true
        if state.lastFailure == nil { state.lastFailure = error }
      case RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        state.authenticationFailure = error
        state.lastFailure = error
      default: state.lastFailure = error
      }
    }
    log.log(.debug, redactor.redact("librdkafka: \(error.name): \(error.text)"))
  }
}
