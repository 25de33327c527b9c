import CRdKafka

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
