/// FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv): tells altered or exchanged bytes apart by accident's standards,
/// not by an attacker's. Each part is ended by its length, so that bytes cannot move from one part to the next unseen.
public struct Fingerprint: Sendable {
  public private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325
  private static let prime: UInt64 = 0x100_0000_01b3

  public init() {}

  public mutating func add(_ bytes: UnsafeRawBufferPointer) {
    for byte in bytes { value = (value ^ UInt64(byte)) &* Self.prime }
    add(Int64(bytes.count))
  }

  /// An absent part is not an empty one.
  public mutating func add(_ bytes: UnsafeRawBufferPointer?) {
    if let bytes { add(bytes) } else { add(-1) }
  }

  public mutating func add(_ number: Int64) {
    withUnsafeBytes(of: number.littleEndian) { bytes in
      for byte in bytes { value = (value ^ UInt64(byte)) &* Self.prime }
    }
  }
}
