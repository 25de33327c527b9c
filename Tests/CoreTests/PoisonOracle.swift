import Foundation

/// What the contract calls an order, written plainly and without a line of the product: Foundation says what JSON is, and a
/// slow walk over the text says the rest.
enum PoisonOracle {
  static func accepts(_ bytes: [UInt8]) -> Bool {
    guard (1...1_000_000).contains(bytes.count), let text = String(validating: bytes, as: UTF8.self) else {
      return false
    }
    // A byte-order mark, or the other encodings that Foundation would read too.
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) || bytes.contains(0) { return false }
    guard (try? JSONSerialization.jsonObject(with: Data(bytes))) != nil else { return false }
    var walk = JSONWalk(text)
    guard let value = walk.value(depth: 1), case .object(let order) = value else { return false }
    return isOrder(order)
  }

  private static func isOrder(_ order: [(String, JSONWalk.Value)]) -> Bool {
    guard case .string("OrderPlaced")? = only("event_type", order), case .string(let id)? = only("order_id", order),
      !id.isEmpty, case .string? = only("user_id", order), case .array(let items)? = only("items", order),
      case .number(let total)? = only("total_amount", order), total >= 0,
      case .string(let status)? = only("status", order), ["placed", "failed"].contains(status),
      case .string(let timestamp)? = only("timestamp", order), isTime(timestamp)
    else { return false }
    return !items.isEmpty
      && items.allSatisfy { item in
        guard case .object(let item) = item, case .string(let id)? = only("item_id", item), !id.isEmpty,
          case .number(let quantity)? = only("quantity", item), quantity == quantity.rounded(),
          (1...2_147_483_647).contains(quantity), case .number(let price)? = only("price", item)
        else { return false }
        return price >= 0
      }
  }

  /// The value of a field that is there exactly once.
  private static func only(_ name: String, _ object: [(String, JSONWalk.Value)]) -> JSONWalk.Value? {
    let found = object.filter { $0.0 == name }
    return found.count == 1 ? found[0].1 : nil
  }

  /// `YYYY-MM-DDTHH:MM:SS[.1–9 digits][Z|±hh:mm]`, a time that exists, from year 0 to 9999 in UTC.
  private static func isTime(_ text: String) -> Bool {
    let form = #/(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?(Z|([+-])(\d{2}):(\d{2}))?/#
      .asciiOnlyDigits()
    guard let match = try? form.wholeMatch(in: text) else { return false }
    func number(_ part: Substring) -> Int { Int(part) ?? 0 }
    let (year, month, day) = (number(match.1), number(match.2), number(match.3))
    let (hour, minute, second) = (number(match.4), number(match.5), number(match.6))
    guard (1...12).contains(month), hour < 24, minute < 60, second < 60 else { return false }
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    guard (1...days[month - 1]).contains(day) else { return false }
    guard let sign = match.9 else { return true }
    let (zoneHour, zoneMinute) = (number(match.10 ?? ""), number(match.11 ?? ""))
    guard zoneHour < 24, zoneMinute < 60 else { return false }
    let offset = (zoneHour * 60 + zoneMinute) * (sign == "-" ? -1 : 1)
    let utc = hour * 60 + minute - offset
    if year == 0 && month == 1 && day == 1 && utc < 0 { return false }
    return !(year == 9999 && month == 12 && day == 31 && utc >= 1440)
  }
}

/// Walks over text that is known to be JSON, and keeps what Foundation's objects do not: fields that are there twice, and
/// numbers as they were written. `nil` for what the contract refuses of JSON: depth, ranges, surrogates alone.
struct JSONWalk {
  enum Value {
    case string(String), number(Double), array([Value]), object([(String, Value)]), other
  }

  private let bytes: [UInt8]
  private var at = 0

  init(_ text: String) { bytes = Array(text.utf8) }

  mutating func value(depth: Int) -> Value? {
    skipSpace()
    switch bytes[at] {
    case UInt8(ascii: "{"): return depth > 512 ? nil : object(depth)
    case UInt8(ascii: "["): return depth > 512 ? nil : array(depth)
    case UInt8(ascii: "\""): return string().map(Value.string)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return number()
    default:
      // Foundation forgives a comma before a closing bracket; nobody else does.
      guard let word = ["true", "false", "null"].first(where: { bytes[at...].starts(with: $0.utf8) }) else {
        return nil
      }
      at += word.utf8.count
      return .other
    }
  }

  private mutating func skipSpace() {
    while at < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[at]) { at += 1 }
  }

  /// Steps over a byte that must be there in JSON.
  private mutating func take(_ byte: Character) -> Bool {
    skipSpace()
    guard bytes[at] == byte.asciiValue else { return false }
    at += 1
    return true
  }

  private mutating func object(_ depth: Int) -> Value? {
    at += 1
    var fields: [(String, Value)] = []
    if take("}") { return .object(fields) }
    repeat {
      skipSpace()
      guard bytes[at] == UInt8(ascii: "\""), let name = string(), take(":"), let value = value(depth: depth + 1) else {
        return nil
      }
      fields.append((name, value))
    } while take(",")
    return take("}") ? .object(fields) : nil
  }

  private mutating func array(_ depth: Int) -> Value? {
    at += 1
    var elements: [Value] = []
    if take("]") { return .array(elements) }
    repeat {
      guard let value = value(depth: depth + 1) else { return nil }
      elements.append(value)
    } while take(",")
    return take("]") ? .array(elements) : nil
  }

  private mutating func number() -> Value? {
    let start = at
    while at < bytes.count, "+-.eE0123456789".utf8.contains(bytes[at]) { at += 1 }
    let text = String(decoding: bytes[start..<at], as: UTF8.self)
    let isInteger = !text.contains { ".eE".contains($0) }
    if isInteger && Int64(text) == nil && UInt64(text) == nil { return nil }
    guard let value = Double(text), value.isFinite else { return nil }
    return .number(value)
  }

  private mutating func string() -> String? {
    at += 1
    var units: [UInt16] = []
    var plain = at
    func flush(_ end: Int) { units += Array(String(decoding: bytes[plain..<end], as: UTF8.self).utf16) }
    while bytes[at] != UInt8(ascii: "\"") {
      guard bytes[at] == UInt8(ascii: "\\") else {
        at += 1
        continue
      }
      flush(at)
      switch bytes[at + 1] {
      case UInt8(ascii: "u"):
        units.append(UInt16(String(decoding: bytes[(at + 2)..<(at + 6)], as: UTF8.self), radix: 16) ?? 0)
        at += 6
      case let letter:
        let meanings: [Character: UInt16] = ["b": 8, "f": 12, "n": 10, "r": 13, "t": 9]
        units.append(meanings[Character(Unicode.Scalar(letter))] ?? UInt16(letter))
        at += 2
      }
      plain = at
    }
    flush(at)
    at += 1
    return String(validating: units, as: UTF16.self)
  }
}
