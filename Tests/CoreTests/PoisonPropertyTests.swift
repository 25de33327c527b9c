import OrderStreamCore
import Testing

/// Mutated and random payloads: no crash, and an order exactly when the oracle says so.
@Suite struct PoisonPropertyTests {
  private static let payloads = 100_000
  /// Slices that run beside each other.
  private static let slices = 4

  @Test("A payload is accepted exactly when an independent reader accepts it", arguments: 0..<slices)
  func oracle(slice: Int) {
    let seed = UInt64(slice) &* 0x9E37_79B9 ^ UInt64.random(in: 0 ... .max)
    print("poison, slice \(slice): seed \(seed)")
    var random = SeededRandom(seed: seed)
    let decoder = OrderDecoder()
    let orders = (0..<200).map { _ in Array(RandomOrder(seed: random.next()).json.utf8) }
    var accepted = 0
    for number in 0..<(Self.payloads / Self.slices) {
      var mutation = Mutation(orders: orders, random: random)
      let payload = mutation.payload()
      random = mutation.random
      let isOrder = Decoded(payload, with: decoder).order != nil
      if isOrder { accepted += 1 }
      if isOrder != PoisonOracle.accepts(payload) {
        Issue.record(
          "seed \(seed), payload \(number): accepted \(isOrder): \(String(decoding: payload, as: UTF8.self)) \(payload)"
        )
        return
      }
    }
    let share = accepted * 100 * Self.slices / Self.payloads
    #expect((5...95).contains(share), "seed \(seed): a property of poison needs both kinds, \(share) % were orders")
  }

  @Test("The oracle knows what the tests of single kinds know")
  func oracleItself() {
    for seed in 0..<200 as Range<UInt64> { #expect(PoisonOracle.accepts(Array(RandomOrder(seed: seed).json.utf8))) }
    for change in [
      { $0.total = "-1" }, { $0.items = "[]" }, { $0.timestamp = #""2023-02-29T10:30:00""# },
      { $0.extra = #","status":1"# },
      { $0.orderID = #""\ud800""# }, { $0.total = "1e400" }, { $0.timestamp = #""٢٠٢٤-01-15T10:30:00""# },
    ] as [(inout OrderText) -> Void] {
      #expect(!PoisonOracle.accepts(Array(OrderText.with(change).utf8)))
    }
  }
}

/// Makes a payload out of orders: some stay orders, most do not.
struct Mutation {
  let orders: [[UInt8]]
  var random: SeededRandom

  private static let numbers = [
    "0", "-0", "1", "-1", "2.0", "1e0", "20e-1", "0.5", "2147483647", "2147483648", "9223372036854775808",
    "18446744073709551616", "-9223372036854775809", "1e308", "1e309", "1e-400", "01", "1.", ".5", "+1", "1e", "NaN",
    "Infinity", "0x1", "null", "true", "\"1\"", "[]", "{}",
  ]
  private static let texts = [
    "", "placed", "failed", "OrderPlaced", "2024-02-29T00:00:00", "2023-02-29T00:00:00", "2024-01-15T24:00:00",
    "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:00-00:01", "2024-01-15T10:30:00.1234567890", "\\u0000",
    "\\ud83d\\ude00",
    "\\ud800", "\\x", "\u{202e}", "é", "order_id", "order\\u005fid",
  ]
  private static let bytes =
    Array("{}[]\",:\\ \n\t0123456789.eE+-utfnx\u{0}\u{7f}".utf8) + [0x80, 0xC0, 0xED, 0xEF, 0xFF]

  mutating func payload() -> [UInt8] {
    if chance(40) { return (0..<below(64)).map { _ in UInt8(below(256)) } }
    if chance(40) { return (0..<below(200)).map { _ in Self.bytes[below(Self.bytes.count)] } }
    var bytes = orders[below(orders.count)]
    if chance(8) { return bytes }
    for _ in 0...(chance(3) ? 3 : 0) where !bytes.isEmpty { mutate(&bytes) }
    return bytes
  }

  private mutating func mutate(_ bytes: inout [UInt8]) {
    let at = below(bytes.count)
    let end = min(bytes.count, at + 1 + below(chance(4) ? 40 : 4))
    switch below(9) {
    case 0: bytes[at] ^= 1 << UInt8(below(8))
    case 1: bytes[at] = Self.bytes[below(Self.bytes.count)]
    case 2: bytes.removeSubrange(at..<end)
    case 3: bytes.insert(contentsOf: bytes[at..<end], at: at)
    case 4: bytes.insert(Self.bytes[below(Self.bytes.count)], at: at)
    case 5: bytes.removeSubrange(end...)
    case 6: replaceNumber(&bytes, from: at)
    case 7: replaceText(&bytes, from: at)
    default:
      let other = orders[below(orders.count)]
      bytes.replaceSubrange(at..<end, with: other[below(other.count)...].prefix(end - at))
    }
  }

  private mutating func replaceNumber(_ bytes: inout [UInt8], from start: Int) {
    func isNumber(_ byte: UInt8) -> Bool { "+-.eE0123456789".utf8.contains(byte) }
    guard let first = bytes[start...].firstIndex(where: { (48...57).contains($0) }) else { return }
    let end = bytes[first...].firstIndex { !isNumber($0) } ?? bytes.count
    bytes.replaceSubrange(first..<end, with: Array(Self.numbers[below(Self.numbers.count)].utf8))
  }

  private mutating func replaceText(_ bytes: inout [UInt8], from start: Int) {
    let quote = UInt8(ascii: "\"")
    guard let first = bytes[start...].firstIndex(of: quote),
      let end = bytes[(first + 1)...].firstIndex(of: quote)
    else { return }
    bytes.replaceSubrange((first + 1)..<end, with: Array(Self.texts[below(Self.texts.count)].utf8))
  }

  private mutating func below(_ bound: Int) -> Int { Int(random.below(UInt64(bound))) }
  private mutating func chance(_ oneIn: UInt64) -> Bool { random.below(oneIn) == 0 }
}
