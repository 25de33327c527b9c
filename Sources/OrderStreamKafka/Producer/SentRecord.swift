import OrderStreamCore

/// The number that travels with a record and comes back in its report: its place in the order of sending, whether the log
/// may hold it already, whether it was sent in a batch of its own, and whether it came into a client's queue later than it
/// was sent.
struct RecordTag {
  let bits: Int

  init(_ bits: Int) { self.bits = bits }

  init(sequence: Int64, mayBeSecond: Bool = false, isAlone: Bool = false, isDelayed: Bool = false) {
    bits = Int(sequence) << 3 | (isDelayed ? 4 : 0) | (isAlone ? 2 : 0) | (mayBeSecond ? 1 : 0)
  }

  /// As in `RecordReports`.
  var sequence: Int64 { Int64(bits >> 3) }
  var isDelayed: Bool { bits & 4 == 4 }
  var isAlone: Bool { bits & 2 == 2 }
  var mayBeSecond: Bool { bits & 1 == 1 }
}

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
