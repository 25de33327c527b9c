/// Random numbers that are the same for the same seed on every machine and in every version: SplitMix64.
///
/// Not for secrets. Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, with
/// the constants of `java.util.SplittableRandom`.
public struct SeededRandom: RandomNumberGenerator, Sendable {
  private static let step: UInt64 = 0x9e37_79b9_7f4a_7c15
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  /// An independent sequence for element `index` of a series with this seed, so that an element can be made without
  /// those before it. Starts at output `index` of the seed's own sequence.
  @inline(__always)
  public init(seed: UInt64, index: UInt64) {
    state = Self.mix(seed &+ (index &+ 1) &* Self.step)
  }

  @inline(__always)
  public mutating func next() -> UInt64 {
    state = state &+ Self.step
    return Self.mix(state)
  }

  /// A whole number in `0 ..< bound`, each equally likely: Lemire's multiply and shift with rejection ("Fast random
  /// integer generation in an interval", ACM TOMACS 2019). Rejects with a probability below `bound / 2⁶⁴`. The
  /// standard library's `Int.random` is not used because its method may change between versions.
  @inline(__always)
  public mutating func below(_ bound: UInt64) -> UInt64 {
    precondition(bound > 0, "there is no number below zero")
    var product = next().multipliedFullWidth(by: bound)
    if product.low < bound {
      let rejected = (0 &- bound) % bound
      while product.low < rejected { product = next().multipliedFullWidth(by: bound) }
    }
    return product.high
  }

  @inline(__always)
  private static func mix(_ input: UInt64) -> UInt64 {
    var value = input
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}
