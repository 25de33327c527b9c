import OrderStreamCore

/// A random order and one of the many ways to write it down: any key order, white space, escapes, number forms, unknown
/// fields, non-ASCII text, zones and fractions.
struct RandomOrder {
  var random: SeededRandom
  var expected = Decoded.Order()
  private(set) var json = ""

  init(seed: UInt64) {
    random = SeededRandom(seed: seed)
    expected.isFailed = chance(3)
    expected.orderID = text()
    var lines: [String] = []
    for _ in 0..<(1 + below(4)) {
      let id = text()
      let quantity = chance(10) ? Int32.max : Int32(1 + below(1000))
      expected.itemIDs.append(id)
      expected.quantities.append(quantity)
      lines.append(
        object([("item_id", quoted(id)), ("quantity", number(Int64(quantity))), ("price", number(Int64(below(5000))))]))
    }
    let (stamp, minute) = timestamp()
    expected.timestamp = stamp
    expected.minute = minute
    json = object([
      ("event_type", quoted("OrderPlaced")), ("order_id", quoted(expected.orderID)), ("user_id", quoted(text())),
      ("items", "[" + lines.joined(separator: ",") + space() + "]"), ("total_amount", number(Int64(below(100_000)))),
      ("status", quoted(expected.isFailed ? "failed" : "placed")), ("timestamp", quoted(stamp)),
    ])
    json = space() + json + space()
  }

  private mutating func below(_ bound: UInt64) -> Int { Int(random.below(bound)) }
  private mutating func chance(_ oneIn: UInt64) -> Bool { below(oneIn) == 0 }
  private mutating func space() -> String { chance(3) ? [" ", "\n", "\t", "\r\n", "   "][below(5)] : "" }

  private mutating func text() -> String {
    let alphabet = [
      "a", "Z", "7", "_", "é", "漢", "😀", "\"", "\\", "/", "\u{0}", "\u{1f}", "\u{7f}", "\n", "\u{2028}", " ",
    ]
    return (0...below(8)).map { _ in alphabet[below(UInt64(alphabet.count))] }.joined()
  }

  private mutating func quoted(_ text: String) -> String {
    var json = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": json += "\\\(scalar)"
      case "\n" where chance(2): json += "\\n"
      case _ where scalar.value < 0x20 || chance(4):
        for unit in String(scalar).utf16 {
          let hex = String(unit, radix: 16, uppercase: chance(2))
          json += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        }
      default: json.unicodeScalars.append(scalar)
      }
    }
    return json + "\""
  }

  private mutating func number(_ value: Int64) -> String {
    switch below(5) {
    case 0: "\(value).0"
    case 1: "\(value)e0"
    case 2: "\(value)0E-1"
    case 3: "\(value).000e+00"
    default: "\(value)"
    }
  }

  private mutating func object(_ known: [(String, String)]) -> String {
    var fields = known.map { (quoted($0.0), $0.1) }
    if chance(2) {
      let values = ["null", "[[],{}]", #"{"order_id":[1,1]}"#, "\"x\"", "-1.5e-3", "true"]
      let value = values[below(UInt64(values.count))]
      let name = quoted(["note", "Items", "漢", ""][below(4)])
      fields.append((name, value))
    }
    for index in fields.indices.reversed() { fields.swapAt(index, below(UInt64(index + 1))) }
    let members = fields.map { name, value in space() + name + space() + ":" + space() + value + space() }
    return "{" + members.joined(separator: ",") + "}"
  }

  private mutating func timestamp() -> (String, Int64) {
    let day = Int64(below(3_652_000)) - 719_500 + 400
    let second = Int64(below(86_400))
    let (year, month, dayOfMonth) = CivilTime.civil(days: day)
    var text = pad(year, 4) + "-" + pad(month, 2) + "-" + pad(dayOfMonth, 2)
    text += "T" + pad(second / 3600, 2) + ":" + pad(second / 60 % 60, 2) + ":" + pad(second % 60, 2)
    if chance(3) { text += "." + (0...below(9)).map { _ in String(below(10)) }.joined() }
    var offset: Int64 = 0
    switch below(3) {
    case 0: text += "Z"
    case 1:
      let minutes = Int64(below(1440))
      offset = chance(2) ? minutes : -minutes
      text += (offset < 0 ? "-" : "+") + pad(minutes / 60, 2) + ":" + pad(minutes % 60, 2)
    default: break
    }
    return (text, day * 1440 + second / 60 - offset)
  }

  private func pad(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
