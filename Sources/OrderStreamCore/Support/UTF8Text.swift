internal import CSimdJSON

/// Looks at bytes that may be text.
enum UTF8Text {
  /// Whether the bytes are well-formed UTF-8; empty bytes are.
  static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
    csimdjson_is_utf8(bytes.assumingMemoryBound(to: UInt8.self).baseAddress, bytes.count)
  }
}
