import OrderStreamCore

/// Names of topics and groups: 1 to 200 of `A-Z a-z 0-9 . _ -`.
enum Names {
  static func checkTopic(_ name: String) throws(BrokerError) {
    if !isValid(name) { throw refused(.invalidTopic, "topic", name) }
  }

  static func checkGroup(_ name: String) throws(BrokerError) {
    if !isValid(name) { throw refused(.configuration, "group", name) }
  }

  private static func isValid(_ name: String) -> Bool {
    (1...200).contains(name.utf8.count)
      && name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }

  private static func refused(_ code: BrokerError.Code, _ kind: String, _ name: String) -> BrokerError {
    BrokerError(
      code, "cannot use the \(kind) \(name.debugDescription)",
      why: "a name has 1 to 200 letters, digits, dots, underscores or hyphens", recovery: .none)
  }
}
