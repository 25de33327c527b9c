import OrderStreamCore
import Testing

@Suite struct OrderNumberTests {
  @Test(arguments: [
    ("order_000001", 1), ("order_1", 1), ("order_1234567", 1_234_567), ("order_9223372036854775807", Int64.max),
    ("order_000000000000000000000000012", 12), ("order_0", 0),
  ])
  func theNumberOfAGeneratedOrderIsInItsID(id: String, number: Int64) {
    #expect(Array(id.utf8).withUnsafeBytes(OrderNumber.parse) == number)
  }

  @Test(arguments: [
    "", "order", "order_", "order_x", "order_1x", "order_-1", "order_+1", "order_ 1", "Order_1", "xorder_1",
    "order_9223372036854775808", "order_99999999999999999999", "order_１",
  ])
  func anyOtherIDHasNone(id: String) {
    #expect(Array(id.utf8).withUnsafeBytes(OrderNumber.parse) == nil)
  }
}
