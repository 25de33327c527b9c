/// Names of topics and groups: `[A-Za-z0-9._-]{1,200}`, and not `.` or `..`, which Kafka refuses.
enum NameArgument {
  static let maxLength = 200

  static func parse(_ text: String) throws(ValueError) -> String {
    let remedy = "use 1 to \(maxLength) letters, digits, '.', '_' and '-'"
    if text.isEmpty { throw ValueError(why: "the name is empty", remedy: remedy) }
    if text == "." || text == ".." { throw ValueError(why: "'\(text)' is no name", remedy: remedy) }
    if let wrong = text.unicodeScalars.first(where: { !isAllowed($0) }) {
      throw ValueError(why: "'\(text)' has the character '\(wrong)'", remedy: remedy)
    }
    if text.utf8.count > maxLength {
      throw ValueError(why: "the name has \(text.utf8.count) characters", remedy: remedy)
    }
    return text
  }

  private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", ".", "_", "-": true
    default: false
    }
  }
}
