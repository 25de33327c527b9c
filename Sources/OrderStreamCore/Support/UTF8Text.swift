internal import CSimdJSON

extension UnsafeRawBufferPointer {
  /// Whether both hold the same bytes; eight at a time, because `elementsEqual` takes one after the other.
  @inline(__always)
  func holdsSameBytes(as other: UnsafeRawBufferPointer) -> Bool {
    guard count == other.count else { return false }
    var index = 0
    while index + 8 <= count {
      let word = loadUnaligned(fromByteOffset: index, as: UInt64.self)
      if word != other.loadUnaligned(fromByteOffset: index, as: UInt64.self) { return false }
      index += 8
    }
    while index < count {
      if self[index] != other[index] { return false }
      index += 1
    }
    return true
  }
}

/// Looks at bytes that may be text.
enum UTF8Text {
  /// Whether the bytes are well-formed UTF-8; empty bytes are.
  static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
    csimdjson_is_utf8(bytes.assumingMemoryBound(to: UInt8.self).baseAddress, bytes.count)
  }
}
