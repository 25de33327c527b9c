/// What is known about an order that was just generated, without reading it again.
public struct GeneratedOrder: Hashable, Sendable {
  /// The number in its id.
  public var number: Int64
  /// Where its id, the record's key, lies in the buffer.
  public var keyRange: Range<Int>
  public var isFailed: Bool

  /// The record's key, borrowed from the buffer that the order was written into.
  @inline(__always)
  public func key(in buffer: ByteBuffer) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: buffer.bytes[keyRange])
  }
}
