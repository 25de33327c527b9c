internal import CSimdJSON

/// Tells whether an inventory event says what it must, however its JSON is written: key order, white space, escapes,
/// number forms and unknown fields change nothing, as for orders.
///
/// Not `Sendable`: one matcher a thread.
public final class InventoryEventMatcher {
  private let parser = OrderParser()

  public init() {}

  /// - Parameters:
  ///   - value: followed by `ByteBuffer.tailPadding` readable bytes.
  ///   - item: one of the order's own, from another decoder than this matcher's.
  public func matches(_ value: UnsafeRawBufferPointer, order: DecodedOrder, item: DecodedOrder.Item) -> Bool {
    guard let event = parser.decodeEvent(value) else { return false }
    return event.quantity == item.quantity && Self.equal(event.order_id, order.orderID)
      && Self.equal(event.item_id, item.itemID) && Self.equal(event.timestamp, order.timestamp)
      && UnsafeRawBufferPointer(event.action).elementsEqual((order.isFailed ? "release" : "reserve").utf8)
  }

  private static func equal(_ text: csimdjson_text, _ expected: UnsafeRawBufferPointer) -> Bool {
    UnsafeRawBufferPointer(text).elementsEqual(expected)
  }
}
