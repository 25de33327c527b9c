import Foundation
import Testing

@testable import OrderStreamCore

@Suite struct AuditPartsTests {
  private func header(_ text: String, topic: String = "orders") -> SourceHeader? {
    Array(text.utf8).withUnsafeBytes { bytes in
      Array(topic.utf8).withUnsafeBytes { SourceHeader(bytes, topic: $0) }
    }
  }

  @Test("Bytes are the same when each of them is, whatever their number")
  func sameBytes() {
    for count in 0..<20 {
      let bytes = (0..<count).map { UInt8($0) }
      #expect(bytes.withUnsafeBytes { a in bytes.withUnsafeBytes { a.holdsSameBytes(as: $0) } })
      for place in 0..<count {
        var other = bytes
        other[place] ^= 1
        #expect(!bytes.withUnsafeBytes { a in other.withUnsafeBytes { a.holdsSameBytes(as: $0) } })
      }
      #expect(!bytes.withUnsafeBytes { a in (bytes + [0]).withUnsafeBytes { a.holdsSameBytes(as: $0) } })
    }
  }

  @Test("A source header is read from its end, so that the topic may be any name")
  func headers() throws {
    let plain = try #require(header("orders/3/1047/2"))
    #expect(plain.isOfTopic && plain.partition == 3 && plain.offset == 1047 && plain.line == 2)
    let largest = try #require(header("orders/2147483647/9223372036854775807/2147483647"))
    #expect(largest.partition == .max && largest.offset == .max && largest.line == .max)
    #expect(header("a/b/0/0/0", topic: "a/b")?.isOfTopic == true)
    for other in ["order/0/0/0", "orders /0/0/0", "/0/0/0", "Orders/0/0/0", "orders/1/0/0/0"] {
      #expect(header(other)?.isOfTopic == false, "\(other)")
    }
    for garbage in [
      "", "/", "///", "orders", "orders/0/0", "orders/0/0/", "orders/0//0", "orders/-1/0/0", "orders/0/0/-1",
      "orders/0/0/1e1", "orders/0/0/0/", "orders/0/0/0 ", "orders/2147483648/0/0", "orders/0/9223372036854775808/0",
      "orders/0/0/2147483648", "orders/0/0/00", "orders/00/0/0", "orders/0/+1/0", "orders/0/0/٣",
      "orders/0/0/00000000000000000000", "\u{0}\u{1b}",
    ] {
      #expect(header(garbage) == nil, "\(garbage)")
    }
  }

  @Test("Every item of an order is marked once, in orders of every size", arguments: [1, 15, 16, 17, 63, 64, 65, 200])
  func seen(count: Int) {
    let seed = UInt64(count)
    var random = SeededRandom(seed: seed)
    var seen = SeenItems([0..<3, 100..<110])
    var lines = Array(0..<Int32(count))
    for index in lines.indices.reversed() { lines.swapAt(index, Int(random.below(UInt64(index + 1)))) }
    for (number, line) in lines.enumerated() {
      #expect(!seen.isComplete(partition: 1, offset: 105, itemCount: count))
      #expect(!seen.isMarked(partition: 1, offset: 105, line: line, itemCount: count))
      let wasSeen = (0..<2).map { _ in seen.mark(partition: 1, offset: 105, line: line, itemCount: count) }
      #expect(wasSeen == [false, true], "line \(line), seed \(seed)")
      #expect(lines.filter { seen.isMarked(partition: 1, offset: 105, line: $0, itemCount: count) }.count == number + 1)
    }
    #expect(seen.isComplete(partition: 1, offset: 105, itemCount: count))
    for (partition, offset) in [(Int32(1), Offset(104)), (1, 106), (0, 0), (0, 2), (1, 100), (1, 109)] {
      #expect(!seen.isComplete(partition: partition, offset: offset, itemCount: count))
      #expect(!seen.isMarked(partition: partition, offset: offset, line: 0, itemCount: count))
    }
  }

  @Test("An order takes two bytes, and nothing else grows with their number")
  func memory() throws {
    var seen = SeenItems([0..<1_000_000, 500..<500])
    for offset in 0..<1000 as Range<Offset> { _ = seen.mark(partition: 0, offset: offset, line: 15, itemCount: 16) }
    #expect((2_000_000..<2_010_000).contains(Self.bytes(of: seen)))
  }

  @Test("A large order takes a few bits an item, whatever the order in which its items come")
  func largeOrders() {
    let (orders, count) = (Int64(100_000), 17)
    var seen = SeenItems([0..<orders, 0..<0])
    var random = SeededRandom(seed: 17)
    var offsets = Array(0..<orders)
    for index in offsets.indices.reversed() { offsets.swapAt(index, Int(random.below(UInt64(index + 1)))) }
    for offset in offsets {
      for line in [16, 3] as [Int32] {
        let wasSeen = seen.mark(partition: 0, offset: offset, line: line, itemCount: count)
        #expect(!wasSeen)
      }
    }
    #expect(seen.isMarked(partition: 0, offset: 7, line: 16, itemCount: count))
    #expect(!seen.isMarked(partition: 0, offset: 7, line: 15, itemCount: count))
    let bytes = Self.bytes(of: seen)
    #expect(bytes < 10 * Int(orders), "\(bytes) bytes: \(bytes * 8 / (Int(orders) * count)) bits an item")
  }

  /// With 32 bytes for each array, and the reference to it.
  private static func bytes(of value: Any) -> Int {
    if type(of: value) == [UInt16].self, let words = value as? [UInt16] {
      return words.isEmpty ? 8 : 40 + 2 * words.capacity
    }
    return Mirror(reflecting: value).children.reduce(8) { $0 + bytes(of: $1.value) }
  }

  @Test("The largest orders of a megabyte beside each other have room")
  func largestOrders() {
    let item = #"{"item_id":"a","quantity":1,"price":0},"#
    let count = Poison.longestValue / item.utf8.count
    var seen = SeenItems([0..<64])
    for offset in 0..<64 as Range<Offset> {
      let wasSeen = (0..<2).map { _ in
        seen.mark(partition: 0, offset: offset, line: Int32(count) - 1, itemCount: count)
      }
      #expect(wasSeen == [false, true])
    }
  }

  @Test("A text from a record is shortened, and what is absent has a name")
  func texts() {
    func text(_ key: [UInt8]?, _ value: [UInt8]?) -> String {
      (key ?? []).withUnsafeBytes { keyBytes in
        (value ?? []).withUnsafeBytes {
          AuditFindings.text(key: key == nil ? nil : keyBytes, value: value == nil ? nil : $0)
        }
      }
    }
    #expect(text(nil, nil) == "(no key) (tombstone)")
    #expect(text([], Array("v".utf8)) == " v")
    let long = text(Array("k".utf8), Array(repeating: 0x61, count: 600))
    #expect(long == "k " + String(repeating: "a", count: AuditFindings.textLimit) + "…")
    #expect(text([0xFF], [0xC3]) == "\u{FFFD} \u{FFFD}")
  }

  @Test("At most so many violations of a kind are kept, and all are counted")
  func limits() {
    var findings = AuditFindings()
    #expect(findings.isClean)
    for _ in 0..<100 {
      findings.add(.lost, source: nil, output: nil, expected: "", found: "")
      findings.add(.reordered, source: nil, output: nil, expected: "", found: "")
    }
    #expect(!findings.isClean && findings.count(.lost) == 100 && findings.count(.phantom) == 0)
    #expect(findings.violations.count == 2 * AuditFindings.violationLimit)
  }

  @Test("What the first differing events must be is kept, whatever order they are compared in")
  func expectedTexts() {
    let window = AuditWindow()
    for index in (0..<500).reversed() { window.noteExpected("\(index)", at: index) }
    for index in 100..<200 { window.noteExpected("again", at: index) }
    #expect((0..<AuditFindings.violationLimit).allSatisfy { window.expectedText(at: $0) == "\($0)" })
    #expect(window.expectedText(at: AuditFindings.violationLimit) == "")
    window.removeAll()
    #expect(window.expectedText(at: 0) == "")
  }

  @Test("An event matches when it means the same, and only then")
  func matcher() throws {
    let source = ByteBuffer()
    source.append(OrderText().json)
    let decoder = OrderDecoder()
    #expect(decoder.decode(source.bytes) == nil)
    let matcher = InventoryEventMatcher()
    func matches(_ text: String) -> Bool {
      let buffer = ByteBuffer()
      buffer.append(text)
      return matcher.matches(buffer.bytes, order: decoder.order, item: decoder.order.items[0])
    }
    let event =
      #"{"event_type":"InventoryEvent","order_id":"order_000001","item_id":"burger","quantity":2,"action":"reserve","#
      + #""timestamp":"2024-01-15T10:30:00"}"#
    #expect(matches(event) && matches("\n \(event)\t"))
    #expect(matches(event.replacingOccurrences(of: ":2,", with: " : 20E-1 ,\r\n")))
    #expect(matches(event.replacingOccurrences(of: "burger", with: #"\u0062urge\u0072"#)))
    #expect(matches(event.replacingOccurrences(of: "{", with: #"{"total":[{"quantity":1}],"#)))
    let wrong = [
      ("InventoryEvent", "inventoryEvent"), ("order_000001", "order_1"), ("burger", "Burger"), (":2,", ":3,"),
      (":2,", ":2.5,"), (":2,", #":"2","#), (":2,", ":0,"), (":2,", ":1e99,"), ("reserve", "release"),
      ("reserve", "reserve "), ("10:30:00", "10:30:00Z"), (#""action":"reserve","#, ""), ("{", #"{"quantity":2,"#),
      ("{", "[{"), ("}", ""), ("}", "}}"), ("}", ",}"), (#""burger""#, "null"), ("{", "\u{FEFF}{"),
    ]
    for (old, new) in wrong { #expect(!matches(event.replacingOccurrences(of: old, with: new)), "\(old) → \(new)") }
    #expect(!matches("") && !matches("null") && !matches("{}") && !matches("[]"))
  }

  @Test("Random orders' events match whatever their text, and no other item's event does")
  func randomOrders() {
    let source = ByteBuffer()
    let encoded = ByteBuffer()
    let decoder = OrderDecoder()
    let matcher = InventoryEventMatcher()
    for seed in 0..<300 as Range<UInt64> {
      source.removeAll()
      source.append(RandomOrder(seed: seed).json)
      #expect(decoder.decode(source.bytes) == nil)
      for (written, item) in decoder.order.items.enumerated() {
        InventoryEventEncoder.encode(order: decoder.order, item: item, into: encoded)
        for (index, other) in decoder.order.items.enumerated() {
          let isSame = index == written || (other.quantity == item.quantity && other.itemID.elementsEqual(item.itemID))
          #expect(matcher.matches(encoded.bytes, order: decoder.order, item: other) == isSame, "seed \(seed)")
        }
      }
    }
  }
}
