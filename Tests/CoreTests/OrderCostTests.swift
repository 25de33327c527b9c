import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// The limits of what an order may cost, against the bytes that the encoder writes.
@Suite struct OrderCostTests {
  private static let allowance = 64

  /// Key, value and allowance of each event, as they would be written; `nil` when the order is refused.
  private func events(_ json: String) -> [Int]? {
    let source = ByteBuffer()
    source.append(json)
    let decoder = OrderDecoder()
    if let poison = decoder.decode(source.bytes) {
      #expect(poison == .orderTooCostly)
      return nil
    }
    let buffer = ByteBuffer()
    return decoder.order.items.map {
      InventoryEventEncoder.encode(order: decoder.order, item: $0, into: buffer)
      return buffer.count + decoder.order.orderID.count + Self.allowance
    }
  }

  private func order(id: String, items: [(id: String, quantity: Int)]) -> String {
    OrderText.with {
      $0.orderID = "\"\(id)\""
      $0.items =
        "[" + items.map { #"{"item_id":"\#($0.id)","quantity":\#($0.quantity),"price":1}"# }.joined(separator: ",")
        + "]"
    }
  }

  private func text(_ count: Int, _ letter: String = "k") -> String { String(repeating: letter, count: count) }

  @Test(
    "An event may have exactly 900 kB, escapes as they are written",
    arguments: ["", "\\\"", "\\u0001", "\\n", "\\u007f", "\\u00e9"], [1, 2_147_483_647])
  func event(escape: String, quantity: Int) throws {
    func with(_ letters: Int) -> String {
      order(id: text(1000, escape) + "i", items: [("a", 1), (text(letters), quantity)])
    }
    let frame = try #require(events(with(5000))?.last) - 5000
    let border = 900_000 - frame
    #expect(events(with(border))?.last == 900_000)
    #expect(events(with(border + 1)) == nil)
  }

  @Test("The events of an order may have exactly 8 MB, however they share it", arguments: [1000, 4000, 100_000])
  func all(idLength: Int) throws {
    let id = text(idLength)
    let one = try #require(events(order(id: id, items: [("a", 1)]))?[0])
    let (items, rest) = (8_388_608).quotientAndRemainder(dividingBy: one)
    func with(_ letters: Int) -> String {
      order(id: id, items: Array(repeating: ("a", 1), count: items - 1) + [(text(1 + letters), 1)])
    }
    #expect(events(with(rest))?.reduce(0, +) == 8_388_608)
    #expect(events(with(rest + 1)) == nil)
  }

  @Test("What is not looked at more closely is below every limit")
  func small() {
    // The dearest order of 4096 bytes: half of it an id of bytes that are written as six.
    for idLetters in 1...650 {
      let id = text(idLetters, "\\u0001")
      var items: [(String, Int)] = []
      while order(id: id, items: items + [("a", 1)]).utf8.count <= 4096 { items.append(("a", 1)) }
      guard !items.isEmpty else { continue }
      let found = events(order(id: id, items: items))
      #expect(found.map { $0.reduce(0, +) <= 8_388_608 && ($0.max() ?? 0) <= 900_000 } == true)
    }
  }
}
