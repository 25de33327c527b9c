internal import CSimdJSON

/// Reads `OrderPlaced` values as any JSON reader would, and refuses everything else with a reason.
///
/// Not `Sendable`: one decoder a thread. Decoding allocates nothing in the steady state, whatever the fields' order.
public final class OrderDecoder {
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
