import OrderStreamCore

/// Names of topics and groups, as `BrokerName` has them.
enum NameArgument {
  static func parse(_ text: String) throws(ValueError) -> String {
    let remedy = "use 1 to \(BrokerName.maxLength) letters, digits, '.', '_' and '-'"
    if text.isEmpty { throw ValueError(why: "the name is empty", remedy: remedy) }
    if BrokerName.isReserved(text) { throw ValueError(why: "'\(text)' is no name", remedy: remedy) }
    if let wrong = text.unicodeScalars.first(where: { !BrokerName.isAllowed($0) }) {
      throw ValueError(why: "'\(text)' has the character '\(wrong)'", remedy: remedy)
    }
    if text.utf8.count > BrokerName.maxLength {
      throw ValueError(why: "the name has \(text.utf8.count) characters", remedy: remedy)
    }
    return text
  }
}
