import OrderStreamCore
import Testing

@Suite struct OrderFieldTests {
  static let order: [(OrderField, String)] = [
    (.eventType, #""OrderPlaced""#), (.orderID, #""o""#), (.userID, #""u""#),
    (.items, #"[{"item_id":"a","quantity":1,"price":1}]"#), (.totalAmount, "1"), (.status, #""placed""#),
    (.timestamp, #""2024-01-15T10:30:00""#),
  ]
  static let item: [(OrderField, String)] = [(.itemID, #""a""#), (.quantity, "1"), (.price, "1")]

  private func json(_ fields: [(OrderField, String)]) -> String {
    "{" + fields.map { "\"\($0.rawValue)\":\($1)" }.joined(separator: ",") + "}"
  }

  @Test func everyFieldIsRequiredInAnyOrder() {
    #expect(Decoded(json(Self.order)).order != nil)
    #expect(Decoded(json(Self.order.reversed())).order != nil)
    for index in Self.order.indices {
      var fields = Self.order
      let (field, _) = fields.remove(at: index)
      #expect(Decoded(json(fields)) == .poison(.missingField(field)))
    }
    for index in Self.item.indices {
      var fields = Self.item
      let (field, _) = fields.remove(at: index)
      #expect(Decoded(OrderText.with(item: json(fields))) == .poison(.missingField(field)))
    }
    #expect(Decoded("{}") == .poison(.missingField(.eventType)))
  }

  @Test func aKnownFieldTwiceIsPoisonInEverySpelling() {
    for (field, value) in Self.order {
      let escaped = field.rawValue.unicodeScalars.map { "\\u00" + String($0.value, radix: 16) }.joined()
      for name in [field.rawValue, escaped] {
        for value in [value, "null"] {
          let twice = OrderText.with(extra: "\"\(name)\":\(value)")
          #expect(Decoded(twice) == .poison(.duplicateField(field)))
        }
      }
    }
    for (field, value) in Self.item {
      let twice = json(Self.item).dropLast() + ",\"\(field.rawValue)\":\(value)}"
      #expect(Decoded(OrderText.with(item: String(twice))) == .poison(.duplicateField(field)))
    }
    #expect(Decoded(OrderText.with(extra: #""order\u005fid":"x""#)).code == "duplicate-field")
  }

  @Test func aFieldOfTheWrongTypeIsNamed() {
    let others = ["null", "true", "1", "1.5", #""text""#, "[]", "{}"]
    for (fields, wrap) in [
      (Self.order, { $0 }), (Self.item, { OrderText.with(item: $0) }),
    ] as [([(OrderField, String)], (String) -> String)] {
      for (index, (field, value)) in fields.enumerated() {
        for other in others where kind(other) != kind(value) {
          var changed = fields
          changed[index].1 = other
          #expect(Decoded(wrap(json(changed))) == .poison(.wrongType(field)), "\(field.rawValue): \(other)")
        }
      }
    }
    for other in others where other != "{}" {
      #expect(Decoded(OrderText.with(item: other)) == .poison(.wrongType(.item)))
    }
  }

  private func kind(_ json: String) -> Character {
    json.first.map { $0.isNumber ? "0" : $0 } ?? " "
  }

  @Test func unknownFieldsMayHoldAnythingAndRepeat() {
    for name in ["note", "", "Order_id", "order_id ", "order_idx", "prices", "ITEMS", "\\u0000", "é"] {
      for value in ["null", "[]", "{}", #"[1,{"order_id":2}]"#, #""😀""#, "-1e-5"] {
        #expect(Decoded(OrderText.with(extra: #""\#(name)":\#(value),"\#(name)":1"#)).order != nil)
      }
    }
    #expect(Decoded(OrderText.with(item: #"{"x":{},"x":1,"item_id":"a","price":0,"quantity":1}"#)).order != nil)
  }

  @Test func valuesOutsideTheContractHaveACodeEach() {
    for type in ["", "orderplaced", "OrderPlaced ", "OrderPlaced\\u0000", "InventoryEvent"] {
      #expect(Decoded(OrderText.with { $0.eventType = "\"\(type)\"" }) == .poison(.unknownEventType))
    }
    for status in ["", "Placed", "failed ", "cancelled", "placed\\u0000"] {
      #expect(Decoded(OrderText.with { $0.status = "\"\(status)\"" }) == .poison(.unknownStatus))
    }
    #expect(Decoded(OrderText.with { $0.orderID = #""""# }) == .poison(.emptyOrderID))
    #expect(Decoded(OrderText.with { $0.items = "[]" }) == .poison(.noItems))
    #expect(Decoded(OrderText.with(item: #"{"item_id":"","quantity":1,"price":1}"#)) == .poison(.emptyItemID))
    #expect(Decoded(OrderText.with { $0.userID = #""""# }).order != nil)
    #expect(Decoded(OrderText.with { $0.status = #""failed""# }).order?.isFailed == true)
    #expect(Decoded(OrderText.with { $0.status = #""\u0066ailed""# }).order?.isFailed == true)
    #expect(Decoded(OrderText.with { $0.orderID = #""a\u0000b""# }).order?.orderID == "a\0b")
  }

  @Test func aQuantityIsAWholeNumberInAnyForm() {
    let good: [(String, Int32)] = [
      ("1", 1), ("2.0", 2), ("2e0", 2), ("1e1", 10), ("0.2e1", 2), ("20e-1", 2), ("2147483647", .max),
      ("2147483647.0", .max), ("2.147483647E9", .max), ("1.000", 1),
    ]
    for (text, quantity) in good {
      let item = #"{"item_id":"a","quantity":\#(text),"price":1}"#
      #expect(Decoded(OrderText.with(item: item)).order?.quantities == [quantity], "\(text)")
    }
    for text in [
      "0", "-0", "0.0", "-1", "-1.0", "0.5", "1.5", "2147483648", "2147483648.0", "1e10", "9223372036854775807",
      "18446744073709551615", "1e-400", "1e308",
    ] {
      let item = #"{"item_id":"a","quantity":\#(text),"price":1}"#
      #expect(Decoded(OrderText.with(item: item)) == .poison(.quantity), "\(text)")
    }
  }

  @Test func anAmountIsNotNegative() {
    for good in ["0", "-0", "-0.0", "-0e5", "1e1", "0.001", "18446744073709551615"] {
      #expect(Decoded(OrderText.with { $0.total = good }).order != nil, "\(good)")
      #expect(Decoded(OrderText.with(item: #"{"item_id":"a","quantity":1,"price":\#(good)}"#)).order != nil)
    }
    for bad in ["-1", "-0.01", "-1e-300", "-9223372036854775808"] {
      #expect(Decoded(OrderText.with { $0.total = bad }) == .poison(.negativeAmount), "\(bad)")
      let item = #"{"item_id":"a","quantity":1,"price":\#(bad)}"#
      #expect(Decoded(OrderText.with(item: item)) == .poison(.negativeAmount), "\(bad)")
    }
  }

  @Test func ofSeveralReasonsTheFirstDocumentedOneIsReported() {
    let ladder: [(String, String)] = [
      (#"{"a":"\ud800", nonsense"#, "lone-surrogate"), (#"{nonsense, "\ud800""#, "not-json"),
      ("{\"a\":1e999,\"b\":\u{1}}", "number-range"),
      (#"{"order_id":1,"order_id":2,"status":3}"#, "duplicate-field"),
      (#"{"timestamp":1,"order_id":2}"#, "missing-field"),
      (
        OrderText.with {
          $0.eventType = #""x""#; $0.status = "1"
        }, "wrong-type"
      ),
      (
        OrderText.with {
          $0.eventType = #""x""#; $0.status = #""x""#; $0.orderID = #""""#
        }, "unknown-event-type"
      ),
      (
        OrderText.with {
          $0.status = #""x""#; $0.orderID = #""""#
        }, "unknown-status"
      ),
      (
        OrderText.with {
          $0.items = "[]"; $0.orderID = #""""#
        }, "empty-order-id"
      ),
      (
        OrderText.with {
          $0.items = "[]"; $0.total = "-1"
        }, "no-items"
      ),
      (
        OrderText.with {
          $0.items = "[1]"; $0.total = "-1"
        }, "negative-amount"
      ),
      (
        OrderText.with {
          $0.items = #"[{"item_id":"","quantity":0,"price":-1},1]"#; $0.timestamp = #""""#
        }, "empty-item-id"
      ),
      (OrderText.with(item: #"{"item_id":"a","quantity":0,"price":-1}"#), "quantity"),
      (
        OrderText.with {
          $0.items = #"[{"item_id":"a","quantity":1,"price":-1}]"#; $0.timestamp = #""""#
        }, "negative-amount"
      ),
      (OrderText.with(timestamp: ""), "timestamp"),
    ]
    for (text, code) in ladder { #expect(Decoded(text).code == code, "\(text)") }
    #expect(Decoded(Array("{nonsense".utf8) + [0xff]).code == "invalid-utf8")
    #expect(Decoded([0xef, 0xbb, 0xbf, 0xff]).code == "encoding")
  }
}
