internal import CSimdJSON

/// Owns the C parser and its buffers: about 1 MB, for a while more after a value above 64 KiB.
struct OrderParser: ~Copyable {
  private let handle: OpaquePointer
  /// What the last decode found. Outside the decoder's own storage so that the compiler guards no access to it.
  let order: UnsafeMutablePointer<csimdjson_order>

  init() {
    guard let handle = csimdjson_parser_create() else { preconditionFailure("there is no memory for a JSON parser") }
    self.handle = handle
    order = .allocate(capacity: 1)
    order.initialize(to: csimdjson_order())
  }

  deinit {
    order.deallocate()
    csimdjson_parser_destroy(handle)
  }

  /// - Parameter value: followed by `ByteBuffer.tailPadding` readable bytes.
  @inline(__always)
  func decode(_ value: UnsafeRawBufferPointer) -> csimdjson_status {
    csimdjson_decode_order(handle, value.assumingMemoryBound(to: UInt8.self).baseAddress, value.count, order)
  }

  /// An inventory event, borrowed from the parser until its next decode; `nil` when the value is none.
  /// - Parameter value: followed by `ByteBuffer.tailPadding` readable bytes.
  func decodeEvent(_ value: UnsafeRawBufferPointer) -> csimdjson_event? {
    var event = csimdjson_event()
    let bytes = value.assumingMemoryBound(to: UInt8.self).baseAddress
    return csimdjson_decode_event(handle, bytes, value.count, &event) ? event : nil
  }
}
