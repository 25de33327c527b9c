internal import CSimdJSON

/// Why a record's value is no order. Counted as rejected; the pipeline goes on.
///
/// Of several reasons the first in this order is reported, whatever the order of the fields:
/// 1. `tombstone`, `emptyValue`, `tooLong`: before anything is read.
/// 2. `encoding`, then `invalidUTF8`, of the whole value.
/// 3. The first fault in reading order of `notJSON`, `loneSurrogate`, `numberRange`, `nesting` and `trailingBytes`.
/// 4. `notAnObject`.
/// 5. `duplicateField` (the first in reading order), `missingField`, `wrongType` (in the order of `OrderField`), of the
///    order itself.
/// 6. `unknownEventType`, `unknownStatus`, `emptyOrderID`, `noItems`, `negativeAmount` of the total.
/// 7. For each item in turn: `wrongType` when it is no object, `duplicateField`, `missingField`, `wrongType` of its
///    fields, `emptyItemID`, `quantity`, `negativeAmount` of the price.
/// 8. `timestamp`.
/// 9. `orderTooCostly`.
public enum Poison: Error, Hashable, Sendable {
  case tombstone
  case emptyValue
  /// Longer than `longestValue`.
  case tooLong
  /// A byte-order mark, UTF-16 or UTF-32.
  case encoding
  /// A byte that is no UTF-8 anywhere in the value, encoded surrogates and overlong forms too.
  case invalidUTF8
  case notJSON
  /// An escaped surrogate without its other half.
  case loneSurrogate
  /// An integer outside −2⁶³ … 2⁶⁴ − 1, or a decimal number that a double cannot hold. Too small is no error: it is 0.
  case numberRange
  /// Arrays and objects inside one another, deeper than `deepestNesting`.
  case nesting
  /// Something other than white space after the value.
  case trailingBytes
  case notAnObject
  case duplicateField(OrderField)
  case missingField(OrderField)
  case wrongType(OrderField)
  case unknownEventType
  case unknownStatus
  case emptyOrderID
  case noItems
  /// A total or a price below zero. −0 is not.
  case negativeAmount
  case emptyItemID
  /// Not a whole number in 1 … 2³¹ − 1.
  case quantity
  /// Not of the form that `CivilTime.parse` reads, or a time that does not exist.
  case timestamp
  /// Its inventory events are beyond the limits of `OrderCost`.
  case orderTooCostly

  /// 1 MB: a value of exactly so many bytes is still read.
  public static let longestValue = 1_000_000
  /// So many arrays and objects inside one another, the outermost counted, are still read.
  public static let deepestNesting = 512

  /// Stable and in kebab-case: the header `error-code` of a dead letter. Never rename one.
  public var code: String {
    switch self {
    case .tombstone: "tombstone"
    case .emptyValue: "empty-value"
    case .tooLong: "too-long"
    case .encoding: "encoding"
    case .invalidUTF8: "invalid-utf8"
    case .notJSON: "not-json"
    case .loneSurrogate: "lone-surrogate"
    case .numberRange: "number-range"
    case .nesting: "nesting"
    case .trailingBytes: "trailing-bytes"
    case .notAnObject: "not-an-object"
    case .duplicateField: "duplicate-field"
    case .missingField: "missing-field"
    case .wrongType: "wrong-type"
    case .unknownEventType: "unknown-event-type"
    case .unknownStatus: "unknown-status"
    case .emptyOrderID: "empty-order-id"
    case .noItems: "no-items"
    case .negativeAmount: "negative-amount"
    case .emptyItemID: "empty-item-id"
    case .quantity: "quantity"
    case .timestamp: "timestamp"
    case .orderTooCostly: "order-too-costly"
    }
  }

  /// One sentence in plain words, without a full stop. Never quotes the record.
  public var message: String {
    switch self {
    case .tombstone: "the record is a tombstone, it has no value"
    case .emptyValue: "the value is empty"
    case .tooLong: "the value is longer than 1 MB (\(Self.longestValue) bytes)"
    case .encoding: "the value begins with a byte-order mark or is not in UTF-8 but in UTF-16 or UTF-32"
    case .invalidUTF8: "the value is not valid UTF-8"
    case .notJSON: "the value is not JSON"
    case .loneSurrogate: "a string has an escaped surrogate without its other half"
    case .numberRange: "a number does not fit into a 64-bit integer or a double"
    case .nesting: "arrays and objects are nested deeper than \(Self.deepestNesting) levels"
    case .trailingBytes: "something follows the JSON value"
    case .notAnObject: "the value is JSON but not an object"
    case .duplicateField(let field): "the field \(field.rawValue) is there twice"
    case .missingField(let field): "the field \(field.rawValue) is missing"
    case .wrongType(let field): "the field \(field.rawValue) is not \(field.expectedType)"
    case .unknownEventType: "the event_type is not OrderPlaced"
    case .unknownStatus: "the status is neither placed nor failed"
    case .emptyOrderID: "the order_id is empty"
    case .noItems: "the order has no items"
    case .negativeAmount: "an amount is negative"
    case .emptyItemID: "an item_id is empty"
    case .quantity: "a quantity is not a whole number from 1 to 2147483647"
    case .timestamp: "the timestamp is not a possible time of the form YYYY-MM-DDTHH:MM:SS[.fraction][Z|±hh:mm]"
    case .orderTooCostly:
      "the inventory events of the order have more than 8 MB (\(OrderCost.mostBytes) bytes) in all or 900 kB "
        + "(\(OrderCost.mostEventBytes) bytes) each"
    }
  }
}

extension Poison {
  /// Whether the value is one JSON document all the same, just not an order.
  var isWellFormedJSON: Bool {
    switch self {
    case .tombstone, .emptyValue, .tooLong, .encoding, .invalidUTF8, .notJSON, .loneSurrogate, .numberRange, .nesting,
      .trailingBytes:
      false
    default: true
    }
  }
}

/// The fields that an `OrderPlaced` event must have. All of them are required, in any order; others are ignored.
public enum OrderField: String, CaseIterable, Hashable, Sendable {
  case eventType = "event_type"
  case orderID = "order_id"
  case userID = "user_id"
  case items
  case totalAmount = "total_amount"
  case status
  case timestamp
  /// An element of `items`, which must be an object.
  case item = "items[]"
  case itemID = "item_id"
  case quantity
  case price

  /// What the value has to be, in words.
  var expectedType: String {
    switch self {
    case .eventType, .orderID, .userID, .status, .timestamp, .itemID: "a string"
    case .items: "an array"
    case .totalAmount, .quantity, .price: "a number"
    case .item: "an object"
    }
  }

  init(_ field: csimdjson_field) {
    switch field {
    case CSIMDJSON_EVENT_TYPE: self = .eventType
    case CSIMDJSON_ORDER_ID: self = .orderID
    case CSIMDJSON_USER_ID: self = .userID
    case CSIMDJSON_ITEMS: self = .items
    case CSIMDJSON_TOTAL_AMOUNT: self = .totalAmount
    case CSIMDJSON_STATUS: self = .status
    case CSIMDJSON_TIMESTAMP: self = .timestamp
    case CSIMDJSON_ITEM: self = .item
    case CSIMDJSON_ITEM_ID: self = .itemID
    case CSIMDJSON_ITEM_QUANTITY: self = .quantity
    default: self = .price
    }
  }
}
