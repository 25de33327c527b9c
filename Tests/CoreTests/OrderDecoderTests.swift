import Foundation
import OrderStreamCore
import Testing

@Suite struct OrderDecoderTests {
  @Test func everyWayToWriteAnOrderGivesTheSameOrder() throws {
    let decoder = OrderDecoder()
    for seed in 0..<4000 as Range<UInt64> {
      let random = RandomOrder(seed: seed)
      let bytes = Array(random.json.utf8)
      #expect(Decoded(bytes, with: decoder) == .order(random.expected), "seed \(seed): \(random.json)")
      let oracle = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any], "seed \(seed)")
      #expect(Self.order(oracle, minute: random.expected.minute) == random.expected, "seed \(seed)")
    }
  }

  /// What Foundation makes of an order; it reads no event times.
  static func order(_ object: [String: Any], minute: Int64) -> Decoded.Order? {
    guard let items = object["items"] as? [[String: Any]], let orderID = object["order_id"] as? String,
      let status = object["status"] as? String, let timestamp = object["timestamp"] as? String
    else { return nil }
    return Decoded.Order(
      isFailed: status == "failed", minute: minute, orderID: orderID, timestamp: timestamp,
      itemIDs: items.compactMap { $0["item_id"] as? String },
      quantities: items.compactMap { ($0["quantity"] as? NSNumber)?.int32Value })
  }

  /// Bytes of valid orders are changed, removed, doubled and swapped. Nothing crashes, and what is still taken for an
  /// order Foundation reads too, with the same content.
  @Test func mutatedOrdersAreRefusedOrReadAsFoundationReadsThem() {
    let decoder = OrderDecoder()
    var accepted = 0
    var codes: Set<String> = []
    let interesting = Array("{}[]\",:\\u0019-+.eE tn/\u{0}\n".utf8) + [0x80, 0xc3, 0xed, 0xef, 0xff]
    for seed in 0..<24_000 as Range<UInt64> {
      var random = SeededRandom(seed: seed ^ 0xfeed)
      var bytes = seed % 4 == 0 ? Array(RandomOrder(seed: seed).json.utf8) : seed % 4 == 1 ? Self.spaced : Self.plain
      for _ in 0...random.below(2) where bytes.count > 1 {
        let position = Int(random.below(UInt64(bytes.count)))
        switch random.below(7) {
        case 0: bytes[position] = interesting[Int(random.below(UInt64(interesting.count)))]
        case 1: bytes[position] = UInt8(truncatingIfNeeded: random.next())
        case 2: bytes.remove(at: position)
        case 3: bytes.insert(interesting[Int(random.below(UInt64(interesting.count)))], at: position)
        case 4: bytes.swapAt(position, Int(random.below(UInt64(bytes.count))))
        default:
          // A whole value becomes another one, or a field comes in.
          guard let colon = bytes[position...].firstIndex(of: UInt8(ascii: ":")) else { continue }
          let end = bytes[colon...].firstIndex { ",}]".utf8.contains($0) } ?? colon
          bytes.replaceSubrange(colon..<end, with: Array((":" + Self.fragments[Int(random.below(16))]).utf8))
        }
      }
      if random.below(50) == 0 { bytes.removeLast(Int(random.below(UInt64(bytes.count)))) }
      let decoded = Decoded(bytes, with: decoder)
      // White space at the end changes nothing, but sends a plainly written order through the parser.
      #expect(Decoded(bytes + [0x20], with: decoder).order == decoded.order, "seed \(seed)")
      switch decoded {
      case .poison(let poison): codes.insert(poison.code)
      case .order(let order):
        accepted += 1
        let object = try? JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
        let oracle = object.flatMap { Self.order($0, minute: order.minute) }
        #expect(oracle == order, "seed \(seed): \(String(decoding: bytes, as: UTF8.self))")
      }
    }
    #expect(accepted > 1000)
    #expect(codes.count >= 12, "\(codes.sorted())")
  }

  static let fragments = [
    "null", "-1", "0", "1e999", "18446744073709551616", "[]", "{}", "\"\"", "1,\"order_id\":\"x\"", "2.0", "1e1", "2.5",
    #""\ud800""#, #""\u0070laced""#, "\"failed\",\"note\":1", "\"2024-02-30T00:00:00Z\"",
  ]

  /// As Python's `json.dumps` writes it.
  static let spaced = Array(
    OrderText().json.replacingOccurrences(of: ",\"", with: ", \"").replacingOccurrences(of: "\":", with: "\": ").utf8)
  static let plain = Array(OrderText().json.utf8)

  @Test func theBytesAroundAValueAreNotRead() {
    let decoder = OrderDecoder()
    let batch = RecordBatch()
    for index in 0..<3 {
      let bytes = index == 1 ? Array("{\"a\":1".utf8) : Self.plain
      bytes.withUnsafeBytes {
        batch.append(partition: 0, offset: Offset(index), timestampMs: 0, key: nil, value: $0)
      }
    }
    batch.append(partition: 0, offset: 3, timestampMs: 0, key: nil, value: nil)
    let results = (0..<4).map { decoder.decode(batch[$0].value) }
    #expect(results == [nil, .notJSON, nil, .tombstone])
  }

  @Test func everySpellingOfANumberIsReadAlikeOnBothPaths() {
    let decoder = OrderDecoder()
    let numbers = [
      "0", "00", "01", "1", "1.", "1.0", ".5", "0.5", "00.5", "-0", "-1", "1e0", "1.5e1", "+1", "", "123456789012345",
      "1234567890123456", "12345678901234567890", "123456789012345678901", "1.123456789012345", "1.1234567890123456",
      "999999999", "1000000000", "2147483647", "2147483648", "1 ", " 1", "  1", "1,", "1x", "0x1", "1.5.5", "1.a",
    ]
    for number in numbers {
      for text in [
        OrderText.with { $0.total = number }, OrderText.with(item: #"{"item_id":"a","quantity":\#(number),"price":1}"#),
        OrderText.with(item: #"{"item_id":"a","quantity":1,"price":\#(number)}"#),
      ] {
        #expect(Decoded(Array(text.utf8), with: decoder) == Decoded(Array((text + " ").utf8), with: decoder), "\(text)")
      }
    }
  }

  @Test func anOrderCutAnywhereIsNoOrderWhateverFollowsInMemory() {
    let decoder = OrderDecoder()
    let buffer = ByteBuffer()
    for text in [Self.plain, Self.spaced] {
      text.withUnsafeBytes { bytes in
        for length in 1..<bytes.count {
          // The rest of the order stands behind the value, as stale bytes of a buffer do.
          buffer.removeAll()
          buffer.append(bytes)
          buffer.truncate(to: length)
          #expect(decoder.decode(buffer.bytes) == .notJSON, "cut at \(length)")
        }
      }
    }
  }

  @Test func anOrderMayHaveManyItems() {
    let decoder = OrderDecoder()
    for count in [1, 2, 16, 17, 64, 65, 20_000, 1] {
      let items = (1...count).map { #"{"item_id":"i\#($0)","quantity":\#($0),"price":0}"# }.joined(separator: ",")
      let order = Decoded(Array(OrderText.with { $0.items = "[\(items)]" }.utf8), with: decoder).order
      #expect(order?.itemIDs == (1...count).map { "i\($0)" })
      #expect(order?.quantities == (1...count).map(Int32.init))
    }
  }

  @Test func codesAreStableKebabCaseAndDifferent() {
    let all: [Poison] = [
      .tombstone, .emptyValue, .tooLong, .encoding, .invalidUTF8, .notJSON, .loneSurrogate, .numberRange, .nesting,
      .trailingBytes, .notAnObject, .duplicateField(.items), .missingField(.items), .wrongType(.items),
      .unknownEventType, .unknownStatus, .emptyOrderID, .noItems, .negativeAmount, .emptyItemID, .quantity, .timestamp,
    ]
    #expect(Set(all.map(\.code)).count == all.count)
    #expect(Set(all.map(\.message)).count == all.count)
    for poison in all {
      #expect(poison.code.wholeMatch(of: /[a-z0-9]+(-[a-z0-9]+)*/) != nil)
      #expect(!poison.message.isEmpty && !poison.message.contains("\n") && !poison.message.hasSuffix("."))
    }
    #expect(Poison.missingField(.itemID).message == "the field item_id is missing")
  }
}
