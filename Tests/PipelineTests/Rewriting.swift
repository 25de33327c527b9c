import Foundation
import OrderStreamCore

/// The same JSON object in other bytes: another key order, white space, escapes, number forms, unknown fields.
enum Rewriting {
  static func rewrite(_ value: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
    guard let object = try? JSONSerialization.jsonObject(with: Data(value)) as? [String: Any] else {
      preconditionFailure("an inventory event is an object")
    }
    var members = object.sorted { $0.key < $1.key }.map { key, value in
      let text = (value as? String).map { quoted($0, &random) } ?? number(value, &random)
      return quoted(key, &random) + space(&random) + ":" + space(&random) + text
    }
    if Bool.random(using: &random) { members.append(#""note":[{"quantity":0},null,"\u0000"]"#) }
    members.shuffle(using: &random)
    return Array((space(&random) + "{" + members.joined(separator: ",\n") + space(&random) + "}" + space(&random)).utf8)
  }

  private static func space(_ random: inout SeededRandom) -> String {
    ["", " ", "\t", "\r\n"].randomElement(using: &random)!
  }

  private static func number(_ value: Any, _ random: inout SeededRandom) -> String {
    ["\(value)", "\(value).0", "\(value)e0", "\(value)0E-1"].randomElement(using: &random)!
  }

  private static func quoted(_ text: String, _ random: inout SeededRandom) -> String {
    var result = "\""
    for unit in text.utf16 {
      if Int.random(in: 0..<3, using: &random) == 0 {
        let hex = String(unit, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      } else {
        result.unicodeScalars.append(Unicode.Scalar(unit)!)
      }
    }
    return result + "\""
  }
}
