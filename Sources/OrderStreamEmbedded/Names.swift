import OrderStreamCore

/// Refuses names that `BrokerName` does not take.
enum Names {
  static func checkTopic(_ name: String) throws(BrokerError) {
    if !BrokerName.isValid(name) { throw refused(.invalidTopic, "topic", name) }
  }

  static func checkGroup(_ name: String) throws(BrokerError) {
    if !BrokerName.isValid(name) { throw refused(.configuration, "group", name) }
  }

  private static func refused(_ code: BrokerError.Code, _ kind: String, _ name: String) -> BrokerError {
    BrokerError(
      code, "cannot use the \(kind) \(name.debugDescription)",
      why: BrokerName.rule, recovery: .none)
  }
}
