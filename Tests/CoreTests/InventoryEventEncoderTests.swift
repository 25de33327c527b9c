import Foundation
import OrderStreamCore
import Testing

@Suite struct InventoryEventEncoderTests {
  struct Event: Decodable, Equatable {
    var event_type: String
    var order_id: String
    var item_id: String
    var quantity: Int32
    var action: String
    var timestamp: String
  }

  private func events(_ json: String) -> [String] {
    let source = ByteBuffer()
    source.append(json)
    let decoder = OrderDecoder()
    #expect(decoder.decode(source.bytes) == nil)
    let buffer = ByteBuffer()
    return decoder.order.items.map {
      InventoryEventEncoder.encode(order: decoder.order, item: $0, into: buffer)
      return String(decoding: buffer.bytes, as: UTF8.self)
    }
  }

  @Test func theExampleOfTheDocumentationIsWrittenToTheByte() {
    let expected =
      #"{"event_type":"InventoryEvent","order_id":"order_000001","item_id":"burger","quantity":2,"action":"reserve","#
      + #""timestamp":"2024-01-15T10:30:00"}"#
    #expect(events(OrderText().json) == [expected])
    #expect(
      events(OrderText.with { $0.status = #""failed""# })
        == [expected.replacingOccurrences(of: "reserve", with: "release")])
  }

  @Test func anyTextSurvives() throws {
    for seed in 0..<1000 as Range<UInt64> {
      let random = RandomOrder(seed: seed)
      let events = events(random.json)
      #expect(events.count == random.expected.itemIDs.count)
      for (index, json) in events.enumerated() {
        let event = try JSONDecoder().decode(Event.self, from: Data(json.utf8))
        #expect(
          event
            == Event(
              event_type: "InventoryEvent", order_id: random.expected.orderID, item_id: random.expected.itemIDs[index],
              quantity: random.expected.quantities[index], action: random.expected.isFailed ? "release" : "reserve",
              timestamp: random.expected.timestamp), "seed \(seed)")
      }
    }
  }

  @Test func theHeaderNamesTheSource() {
    let buffer = ByteBuffer()
    buffer.append("what was there before" as StaticString)
    InventoryEventEncoder.sourceHeader(topic: "order-events", partition: 2, offset: 1047, line: 3, into: buffer)
    let headers = Headers(block: buffer.bytes)
    #expect(headers.map { String(decoding: $0.name, as: UTF8.self) } == ["source"])
    #expect(headers.first(named: "source").map { String(decoding: $0, as: UTF8.self) } == "order-events/2/1047/3")
  }
}
