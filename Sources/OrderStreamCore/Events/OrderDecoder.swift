internal import CSimdJSON

/// Reads `OrderPlaced` values as any JSON reader would, and refuses everything else with a reason.
///
/// Not `Sendable`: one decoder a thread. Decoding allocates nothing in the steady state, whatever the fields' order.
public final class OrderDecoder {
  /// simdjson's version, `3.0.1`.
  public static var parserVersion: String { String(cString: csimdjson_version()) }

  /// The last order that was decoded. Borrowed: valid after `decode` returned `nil`, until the next `decode` and as long
  /// as the value's own bytes stay in place.
  @exclusivity(unchecked) public private(set) var order: DecodedOrder
  private let parser = OrderParser()

  public init() {
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    order = DecodedOrder(
      isFailed: false, minute: 0, orderID: nothing, timestamp: nothing, items: .init(base: nil, count: 0))
    precondition(ByteBuffer.tailPadding >= CSIMDJSON_PADDING, "a batch gives as much padding as the parser needs")
  }

  /// - Parameter value: `nil` is a tombstone. At least `ByteBuffer.tailPadding` readable bytes follow it, as in a
  ///   `RecordBatch` and a `ByteBuffer`.
  /// - Returns: why this is no order; `nil` when it is one, and then `order` has it.
  public func decode(_ value: UnsafeRawBufferPointer?) -> Poison? {
    guard let value else { return .tombstone }
    if value.isEmpty { return .emptyValue }
    if value.count > Poison.longestValue { return .tooLong }
    let status = parser.decode(value)
    if status != CSIMDJSON_OK { return poison(status, value) }

    let raw = parser.order.pointee
    let timestamp = UnsafeRawBufferPointer(raw.timestamp)
    guard let time = CivilTime.parse(timestamp) else { return .timestamp }
    order = DecodedOrder(
      isFailed: raw.is_failed, minute: CivilTime.minute(ofSecond: time.epochSeconds),
      orderID: UnsafeRawBufferPointer(raw.order_id), timestamp: timestamp,
      items: .init(base: raw.items, count: raw.item_count))
    return OrderCost.isTooHigh(order, valueBytes: value.count) ? .orderTooCostly : nil
  }

  @inline(never)
  private func poison(_ status: csimdjson_status, _ value: UnsafeRawBufferPointer) -> Poison {
    switch status {
    case CSIMDJSON_UNPARSABLE: JSONDiagnosis.firstFault(in: value) ?? .notJSON
    case CSIMDJSON_NESTING: .nesting
    case CSIMDJSON_NOT_AN_OBJECT: .notAnObject
    case CSIMDJSON_DUPLICATE_FIELD: .duplicateField(OrderField(parser.order.pointee.field))
    case CSIMDJSON_MISSING_FIELD: .missingField(OrderField(parser.order.pointee.field))
    case CSIMDJSON_WRONG_TYPE: .wrongType(OrderField(parser.order.pointee.field))
    case CSIMDJSON_UNKNOWN_EVENT_TYPE: .unknownEventType
    case CSIMDJSON_UNKNOWN_STATUS: .unknownStatus
    case CSIMDJSON_EMPTY_ORDER_ID: .emptyOrderID
    case CSIMDJSON_NO_ITEMS: .noItems
    case CSIMDJSON_NEGATIVE_AMOUNT: .negativeAmount
    case CSIMDJSON_EMPTY_ITEM_ID: .emptyItemID
    case CSIMDJSON_QUANTITY: .quantity
    default: preconditionFailure("there is no memory for a document of at most 1 MB")
    }
  }
}

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

/// What an order may cost: the bytes of the inventory events that it becomes. Each event repeats the order's id twice, so
/// an order of 1 MB can ask for gigabytes; one beyond these limits is poison, for every command alike.
///
/// An event has the bytes of its key, its value as `InventoryEventEncoder` writes it, and `headerBytes`.
public enum OrderCost {
  /// Of all events of one order. A commit is due when it has as much (`PipelineLoop.Settings.commitBytes`).
  public static let mostBytes = 8 << 20
  /// Of each event: brokers that are not told otherwise take records of 1 MB.
  public static let mostEventBytes = 900_000
  /// What the header `source` counts, so that an order costs the same on every topic and before it has an offset: name and
  /// value where topics have names of up to 40 letters. With the longest names it is 190 bytes more.
  public static let headerBytes = 64

  /// No order of so many bytes reaches a limit: it has at most 128 items (none is shorter than 32 bytes), and each of
  /// their events at most 7 times its bytes (a byte of an id is six where it is escaped, and stands in the key) and 200.
  static let certainlyCheap = 4096

  /// - Parameter valueBytes: Of the order as it was read.
  @inline(__always)
  static func isTooHigh(_ order: DecodedOrder, valueBytes: Int) -> Bool {
    valueBytes > certainlyCheap && exceeds(order)
  }

  @inline(never)
  private static func exceeds(_ order: DecodedOrder) -> Bool {
    let common =
      InventoryEventEncoder.fixedBytes + order.orderID.count + JSONWriter.quotedCount(order.orderID)
      + JSONWriter.quotedCount(order.timestamp) + headerBytes
    var total = 0
    for item in order.items {
      let event = common + JSONWriter.quotedCount(item.itemID) + JSONWriter.digitCount(UInt64(item.quantity))
      total += event
      if event > mostEventBytes || total > mostBytes { return true }
    }
    return false
  }
}

/// Owns the C parser and its buffers: about 1 MB, for a while more after a value above 64 KiB.
struct OrderParser: ~Copyable {
  private let handle: OpaquePointer
  /// What the last decode found. Outside the decoder's own storage so that the compiler guards no access to it.
  let order: UnsafeMutablePointer<csimdjson_order>

  init() {
    guard let handle = csimdjson_parser_create() else { preconditionFailure("there is no memory for a JSON parser") }
    self.handle = handle
    order = .allocate(capacity: 1)
    order.initialize(to: csimdjson_order())
  }

  deinit {
    order.deallocate()
    csimdjson_parser_destroy(handle)
  }

  /// - Parameter value: followed by `ByteBuffer.tailPadding` readable bytes.
  @inline(__always)
  func decode(_ value: UnsafeRawBufferPointer) -> csimdjson_status {
    csimdjson_decode_order(handle, value.assumingMemoryBound(to: UInt8.self).baseAddress, value.count, order)
  }

  /// An inventory event, borrowed from the parser until its next decode; `nil` when the value is none.
  /// - Parameter value: followed by `ByteBuffer.tailPadding` readable bytes.
  func decodeEvent(_ value: UnsafeRawBufferPointer) -> csimdjson_event? {
    var event = csimdjson_event()
    let bytes = value.assumingMemoryBound(to: UInt8.self).baseAddress
    return csimdjson_decode_event(handle, bytes, value.count, &event) ? event : nil
  }

  /// Calls the visitor for each token of a JSON text of any shape.
  /// - Parameter value: followed by `ByteBuffer.tailPadding` readable bytes.
  /// - Returns: whether it is one.
  func walk(
    _ value: UnsafeRawBufferPointer,
    _ visitor: @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<csimdjson_token>?) -> Void,
    _ context: UnsafeMutableRawPointer
  ) -> Bool {
    csimdjson_walk(
      handle, value.assumingMemoryBound(to: UInt8.self).baseAddress, value.count, visitor, context)
  }
}
