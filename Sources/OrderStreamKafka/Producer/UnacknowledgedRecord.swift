import OrderStreamCore

/// A record that a producer gave back because of a fatal error; it is sent again by the next one.
struct UnacknowledgedRecord: Sendable {
  var tag: Int
  var partition: Int32
  var timestampMs: Int64
  var key: [UInt8]?
  var value: [UInt8]?
  /// A block as in `Headers`.
  var headers: [UInt8]
  var mayBePersisted: Bool

  /// Lends the record to `body`; its pointers are valid during the call.
  func withOutgoing(_ body: (OutgoingRecord) throws(BrokerError) -> Void) throws(BrokerError) {
    let result: Result<Void, BrokerError> = (key ?? []).withUnsafeBytes { keyBytes in
      (value ?? []).withUnsafeBytes { valueBytes in
        headers.withUnsafeBytes { headerBytes in
          let record = OutgoingRecord(
            partition: partition, timestampMs: timestampMs, key: key == nil ? nil : keyBytes,
            value: value == nil ? nil : valueBytes, headers: Headers(block: headerBytes))
          return Result { () throws(BrokerError) in try body(record) }
        }
      }
    }
    try result.get()
  }
}
