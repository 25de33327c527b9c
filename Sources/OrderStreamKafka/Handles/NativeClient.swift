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
