/// What the generator's customers can order: ten dishes, their prices in cents, and every line of an order written
/// once, so that making an order copies bytes. Changing the menu changes every generated order.
struct OrderMenu {
  static let dishes: [(id: String, cents: Int64)] = [
    ("burger", 1000), ("pizza", 1250), ("fries", 425), ("salad", 875), ("sushi", 1890),
    ("taco", 350), ("ramen", 1375), ("curry", 1120), ("soup", 599), ("cola", 250),
  ]
  static let mostOfOneDish = 3

  /// `{"item_id":"burger","quantity":2,"price":10.0}` for each dish and quantity.
  private let lines = ByteBuffer()
  private let starts: [Int]
  private let prices: [Int64]

  init() {
    var starts = [0]
    for dish in Self.dishes {
      for quantity in 1...Self.mostOfOneDish {
        var json = JSONWriter(lines)
        json.beginObject()
        json.key("item_id")
        json.string(dish.id)
        json.key("quantity")
        json.integer(quantity)
        json.key("price")
        json.hundredths(dish.cents)
        json.endObject()
        starts.append(lines.count)
      }
    }
    self.starts = starts
    prices = Self.dishes.map(\.cents)
  }

  /// Appends one line and returns its amount in cents.
  @inline(__always)
  func append(dish: Int, quantity: Int, to buffer: ByteBuffer) -> Int64 {
    let line = dish * Self.mostOfOneDish + quantity - 1
    let start = starts[line]
    buffer.append(UnsafeRawBufferPointer(rebasing: lines.bytes[start..<starts[line + 1]]))
    return prices[dish] * Int64(quantity)
  }
}
