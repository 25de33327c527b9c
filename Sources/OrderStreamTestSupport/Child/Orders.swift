/// Orders as text, and what is in them.
package enum Orders {
  package static func order(number: Int, failed: Bool = false, minute: Int = 30) -> String {
    #"{"event_type":"OrderPlaced","order_id":"order_00000\#(number)","user_id":"user_1","items":"#
      + #"[{"item_id":"burger","quantity":2,"price":10.0}],"total_amount":20.0,"#
      + #""status":"\#(failed ? "failed" : "placed")","timestamp":"2024-01-15T10:\#(minute):00"}"#
  }

  /// An order of many items with a long id, which its events repeat.
  package static func heavy(idLength: Int, items: Int) -> String {
    let lines = Array(repeating: #"{"item_id":"a","quantity":1,"price":1}"#, count: items).joined(separator: ",")
    return order(number: 1).replacing("order_000001", with: String(repeating: "k", count: idLength))
      .replacing(#"{"item_id":"burger","quantity":2,"price":10.0}"#, with: lines)
  }

  /// The orders 0 to 7 of `order(number:)`, number 2 failed, as other programs may write them.
  package static let strange: [String] = [
    // Spaces, and another order of the keys.
    #" { "timestamp" : "2024-01-15T10:30:00" , "status":"placed","total_amount" : 20.0,"items":[ {"price":10.0,"#
      + #""quantity":2, "item_id":"burger"} ],"user_id":"user_1","order_id":"order_000000","event_type":"OrderPlaced" }"#,
    // Escapes.
    #"{"event_type":"Order\u0050laced","order_id":"order_00000\u0031","user_id":"user_1","items":"#
      + #"[{"item_\u0069d":"b\u0075rger","quantity":2,"price":10.0}],"total_amount":20.0,"status":"placed","#
      + #""timestamp":"2024-01-15T10:30:00"}"#,
    // Number forms.
    #"{"event_type":"OrderPlaced","order_id":"order_000002","user_id":"user_1","items":"#
      + #"[{"item_id":"burger","quantity":2.0,"price":1e1}],"total_amount":2E+1,"status":"failed","#
      + #""timestamp":"2024-01-15T10:30:00"}"#,
    // Unknown fields.
    #"{"note":{"a":[1,null,true]},"event_type":"OrderPlaced","order_id":"order_000003","user_id":"user_1","items":"#
      + #"[{"item_id":"burger","quantity":2,"price":10.0,"size":"XL"}],"total_amount":20.0,"status":"placed","#
      + #""timestamp":"2024-01-15T10:30:00"}"#,
    // Text beyond ASCII.
    #"{"event_type":"OrderPlaced","order_id":"order_000004","user_id":"Zoë 🍔 日本","items":"#
      + #"[{"item_id":"burger","quantity":2,"price":10.0}],"total_amount":20.0,"status":"placed","#
      + #""timestamp":"2024-01-15T10:30:00"}"#,
    // A fraction of a second.
    order(number: 5).replacing("10:30:00", with: "10:30:00.123456789"),
    // A zone, and one that moves it from another day.
    order(number: 6).replacing("2024-01-15T10:30:00", with: "2024-01-15T10:30:00Z"),
    order(number: 7).replacing("2024-01-15T10:30:00", with: "2024-01-16T00:30:59.9+14:00"),
  ]

  /// The text of a field in a line that this program has written.
  package static func field(_ name: String, of line: String) -> Substring {
    let bytes = line.utf8
    let mark = Array("\"\(name)\":\"".utf8)
    var start = bytes.startIndex
    while let quote = bytes[start...].firstIndex(of: 0x22) {
      if bytes[quote...].starts(with: mark) {
        let value = bytes.index(quote, offsetBy: mark.count)
        return line[value..<(bytes[value...].firstIndex(of: 0x22) ?? bytes.endIndex)]
      }
      start = bytes.index(after: quote)
    }
    return ""
  }
}
