import CRdKafka

/// An error of librdkafka with what it says about itself. Copied out: holds no C memory.
struct NativeError: Error, Sendable {
  var code: rd_kafka_resp_err_t
  /// In words, never empty; not yet redacted.
  var text: String
  var isFatal = false
  var isRetriable = false
  var requiresAbort = false

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
