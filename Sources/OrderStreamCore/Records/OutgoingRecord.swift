/// A record on its way out. All bytes are borrowed: a back end copies what it keeps before the call returns.
public struct OutgoingRecord {
  public var partition: Int32
  /// Milliseconds since 1970 UTC: the wall clock at sending.
  public var timestampMs: Int64
  public var key: UnsafeRawBufferPointer?
  /// `nil` writes a tombstone.
  public var value: UnsafeRawBufferPointer?
  public var headers: Headers

  public init(
    partition: Int32, timestampMs: Int64, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?,
    headers: Headers = .none
  ) {
    self.partition = partition
    self.timestampMs = timestampMs
    self.key = key
    self.value = value
    self.headers = headers
  }
}
