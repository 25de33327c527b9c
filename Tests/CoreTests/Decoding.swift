import OrderStreamCore

/// What a decoder made of some bytes, copied out of its buffers.
enum Decoded: Equatable {
  struct Order: Equatable {
    var isFailed = false
    var minute: Int64 = 0
    var orderID = ""
    var timestamp = ""
    var itemIDs: [String] = []
    var quantities: [Int32] = []
  }

  case order(Order)
  case poison(Poison)

  /// `nil` bytes are a tombstone. The bytes are followed by padding that is no white space.
  init(_ bytes: [UInt8]?, with decoder: OrderDecoder = OrderDecoder()) {
    guard let bytes else {
      self = decoder.decode(nil).map(Decoded.poison) ?? .order(Order())
      return
    }
    let padded = bytes + [UInt8](repeating: UInt8(ascii: "x"), count: ByteBuffer.tailPadding)
    self = padded.withUnsafeBytes {
      if let poison = decoder.decode(UnsafeRawBufferPointer(rebasing: $0[..<bytes.count])) { return .poison(poison) }
      let order = decoder.order
      return .order(
        Order(
          isFailed: order.isFailed, minute: order.minute, orderID: String(decoding: order.orderID, as: UTF8.self),
          timestamp: String(decoding: order.timestamp, as: UTF8.self),
          itemIDs: order.items.map { String(decoding: $0.itemID, as: UTF8.self) },
          quantities: order.items.map(\.quantity)))
    }
  }

  init(_ text: String) { self.init(Array(text.utf8)) }

  var code: String? { if case .poison(let poison) = self { poison.code } else { nil } }
  var order: Order? { if case .order(let order) = self { order } else { nil } }
}

/// A valid order as text, of which a test changes one part.
struct OrderText {
  var eventType = #""OrderPlaced""#
  var orderID = #""order_000001""#
  var userID = #""user_123""#
  var items = #"[{"item_id":"burger","quantity":2,"price":10.0}]"#
  var total = "20.0"
  var status = #""placed""#
  var timestamp = #""2024-01-15T10:30:00""#
  var extra = ""

  var json: String {
    #"{"event_type":\#(eventType),"order_id":\#(orderID),"user_id":\#(userID),"items":\#(items),"#
      + #""total_amount":\#(total),"status":\#(status),"timestamp":\#(timestamp)\#(extra)}"#
  }

  static func with(_ change: (inout OrderText) -> Void) -> String {
    var text = OrderText()
    change(&text)
    return text.json
  }

  static func with(item: String) -> String { with { $0.items = "[\(item)]" } }

  static func with(extra: String) -> String { with { $0.extra = ",\(extra)" } }

  static func with(timestamp: String) -> String { with { $0.timestamp = "\"\(timestamp)\"" } }
}
