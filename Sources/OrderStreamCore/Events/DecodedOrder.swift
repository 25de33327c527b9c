internal import CSimdJSON

/// What the pipeline needs of one order. All bytes are borrowed, from the decoder until its next decode or from the value
/// that was decoded: they are valid while both stay as they are.
public struct DecodedOrder {
  /// `status` was `failed`; otherwise it was `placed`.
  public var isFailed: Bool
  /// The minute of the event time: whole minutes since 1970-01-01T00:00Z, rounded down, in `CivilTime.minutesRange`
  /// (more than 32 bits hold).
  public var minute: Int64
  /// Unescaped UTF-8, never empty.
  public var orderID: UnsafeRawBufferPointer
  /// The order's own text, unescaped: ASCII, 19 to 35 bytes.
  public var timestamp: UnsafeRawBufferPointer
  /// At least one.
  public var items: Items

  public struct Item {
    /// Unescaped UTF-8, never empty.
    public var itemID: UnsafeRawBufferPointer
    /// 1 … 2³¹ − 1.
    public var quantity: Int32
  }

  /// The items in the order's own order.
  public struct Items: RandomAccessCollection {
    let base: UnsafePointer<csimdjson_item>?
    public let count: Int

    public var startIndex: Int { 0 }
    public var endIndex: Int { count }

    @inline(__always)
    public subscript(position: Int) -> Item {
      guard let base, position >= 0, position < count else { preconditionFailure("an order has no such item") }
      let item = base[position]
      return Item(itemID: UnsafeRawBufferPointer(item.item_id), quantity: item.quantity)
    }
  }
}

extension UnsafeRawBufferPointer {
  @inline(__always)
  init(_ text: csimdjson_text) { self.init(start: text.bytes, count: text.length) }
}
