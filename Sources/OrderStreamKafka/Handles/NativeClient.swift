import CRdKafka
import OrderStreamCore
import OrderStreamThreads

/// Owns one `rd_kafka_t`. Everything that is made from it holds it, so it is destroyed last.
final class NativeClient: @unchecked Sendable {
  // Sendable: librdkafka's client functions may be called from any thread, and `pointer` never changes.
  let pointer: OpaquePointer
  let events: ClientEvents

  init(
    _ configuration: consuming NativeConfiguration, _ type: rd_kafka_type_t, events: ClientEvents
  ) throws(NativeConfiguration.Refusal) {
    self.events = events
    pointer = try configuration.makeClient(type)
  }

  /// Destroying waits for librdkafka's threads. A client that does not end in time is left to a thread of its own, so
  /// that nobody waits for ever.
  private static let destroyLimit = Duration.milliseconds(1500)

  deinit {
    let address = UInt(bitPattern: pointer)
    let thread = BackgroundThread.endingByItself { [events] in
      rd_kafka_destroy_flags(OpaquePointer(bitPattern: address), Int32(RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE))
      // librdkafka calls back until it is gone.
      withExtendedLifetime(events) {}
    }
    let ended: Void? = thread.join(Self.destroyLimit)
    if ended == nil {
      events.warn("a client did not end within \(Self.destroyLimit.milliseconds) ms and is left behind")
    }
  }

  /// Serves callbacks for up to `timeout`; not for clients that report deliveries as events.
  func poll(_ timeout: Duration) { _ = rd_kafka_poll(pointer, timeout.pollMilliseconds) }

  /// The fatal error that ended this client, if there was one.
  var fatalError: NativeError? {
    var reason = [CChar](repeating: 0, count: 512)
    let code = rd_kafka_fatal_error(pointer, &reason, reason.count)
    guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
    let text = reason.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    var error = NativeError(code, text: text)
    error.isFatal = true
    return error
  }

  var isFatal: Bool { rd_kafka_fatal_error(pointer, nil, 0) != RD_KAFKA_RESP_ERR_NO_ERROR }

  /// The value in force of a property.
  func setting(_ property: String) -> String? {
    var size = 0
    guard rd_kafka_conf_get(rd_kafka_conf(pointer), property, nil, &size) == RD_KAFKA_CONF_OK else { return nil }
    var value = [CChar](repeating: 0, count: size + 1)
    guard rd_kafka_conf_get(rd_kafka_conf(pointer), property, &value, &size) == RD_KAFKA_CONF_OK else { return nil }
    return value.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  /// Records and requests that are not finished: queued, in flight, or reports that nobody has served.
  var outstanding: Int { Int(rd_kafka_outq_len(pointer)) }

  /// The id of the cluster, `nil` when no broker told it in time.
  func clusterID(_ timeout: Duration) -> String? {
    guard let id = rd_kafka_clusterid(pointer, timeout.pollMilliseconds) else { return nil }
    defer { rd_kafka_mem_free(pointer, id) }
    return String(cString: id)
  }

  /// Pretends that a fatal error has happened. For tests.
  func raiseFatalError(_ code: rd_kafka_resp_err_t, reason: String) {
    _ = rd_kafka_test_fatal_error(pointer, code, reason)
  }
}

extension Duration {
  /// For librdkafka's time-outs: whole milliseconds, at least 1 for anything above 0, never the −1 that means for ever.
  var pollMilliseconds: Int32 {
    if self <= .zero { return 0 }
    return Int32(clamping: max(1, milliseconds))
  }
}

/// Owns one `rd_kafka_conf_t` until a client takes it over.
struct NativeConfiguration: ~Copyable {
  private let pointer: OpaquePointer

  /// Why librdkafka refuses a property, in its own words; not yet redacted.
  struct Refusal: Error {
    var property: String
    var reason: String
    /// The system had no room for the client's threads; the configuration is fine.
    var isLackOfThreads = false
  }

  init() {
    pointer = rd_kafka_conf_new()
  }

  deinit { rd_kafka_conf_destroy(pointer) }

  borrowing func set(_ property: String, _ value: String) throws(Refusal) {
    var reason = [CChar](repeating: 0, count: 512)
    let result = rd_kafka_conf_set(pointer, property, value, &reason, reason.count)
    if result != RD_KAFKA_CONF_OK { throw Refusal(property: property, reason: Self.text(reason)) }
  }

  /// Directs log lines and errors to `events`, which must outlive the client; rebalances too when `rebalances`, and
  /// delivery reports to its callback or to the main queue.
  borrowing func direct(to events: ClientEvents, rebalances: Bool, reports: DeliveryReports) {
    rd_kafka_conf_set_opaque(pointer, Unmanaged.passUnretained(events).toOpaque())
    rd_kafka_conf_set_log_cb(pointer, ClientEvents.logCallback)
    rd_kafka_conf_set_error_cb(pointer, ClientEvents.errorCallback)
    if rebalances { rd_kafka_conf_set_rebalance_cb(pointer, ClientEvents.rebalanceCallback) }
    switch reports {
    case .none: break
    case .callback: rd_kafka_conf_set_dr_msg_cb(pointer, ClientEvents.reportCallback)
    case .events: rd_kafka_conf_set_events(pointer, Int32(RD_KAFKA_EVENT_DR))
    }
  }

  /// Makes a client, which takes the configuration over.
  consuming func makeClient(_ type: rd_kafka_type_t) throws(Refusal) -> OpaquePointer {
    var reason = [CChar](repeating: 0, count: 512)
    guard let client = rd_kafka_new(type, pointer, &reason, reason.count) else {
      let isLackOfThreads = rd_kafka_last_error() == RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE
      let refusal = Refusal(property: "", reason: Self.text(reason), isLackOfThreads: isLackOfThreads)
      _ = consume self
      throw refusal
    }
    discard self
    return client
  }

  private static func text(_ reason: [CChar]) -> String {
    reason.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }
}

/// An error of librdkafka with what it says about itself. Copied out: holds no C memory.
struct NativeError: Error, Sendable {
  var code: rd_kafka_resp_err_t
  /// In words, never empty; not yet redacted.
  var text: String
  var isFatal = false
  var isRetriable = false
  var requiresAbort = false

  /// Codes that 2.0.2 does not have yet. A broker that the client no longer knows; and a record that is refused because of
  /// another one in its batch.
  static let destroyedBroker = rd_kafka_resp_err_t(-137)
  static let anotherRecord = rd_kafka_resp_err_t(-138)

  /// `__TRANSPORT`, `UNKNOWN_TOPIC_OR_PART`, …
  var name: String { String(cString: rd_kafka_err2name(code)) }

  init(_ code: rd_kafka_resp_err_t, text: String? = nil) {
    self.code = code
    self.text = text ?? String(cString: rd_kafka_err2str(code))
  }

  /// Takes over an error object and frees it; `nil` when there is none.
  init?(consuming error: OpaquePointer?) {
    guard let error else { return nil }
    defer { rd_kafka_error_destroy(error) }
    self.init(rd_kafka_error_code(error), text: String(cString: rd_kafka_error_string(error)))
    isFatal = rd_kafka_error_is_fatal(error) != 0
    isRetriable = rd_kafka_error_is_retriable(error) != 0
    requiresAbort = rd_kafka_error_txn_requires_abort(error) != 0
  }

  /// Throws the code unless it is success.
  static func check(_ code: rd_kafka_resp_err_t) throws(NativeError) {
    if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw NativeError(code) }
  }

  /// Takes over an error object and throws it, if there is one.
  static func check(consuming error: OpaquePointer?) throws(NativeError) {
    if let error = NativeError(consuming: error) { throw error }
  }
}
