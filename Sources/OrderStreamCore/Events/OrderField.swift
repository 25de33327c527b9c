internal import CSimdJSON

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
