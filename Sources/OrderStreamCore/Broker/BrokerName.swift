/// Names of topics and groups that every back end takes: 1 to 200 of `A-Z a-z 0-9 . _ -`, and not `.` or `..`, which
/// Kafka refuses.
public enum BrokerName {
  public static let maxLength = 200

  public static func isValid(_ name: String) -> Bool {
    (1...maxLength).contains(name.utf8.count) && !isReserved(name) && name.unicodeScalars.allSatisfy(isAllowed)
  }

  public static func isReserved(_ name: String) -> Bool { name == "." || name == ".." }

  public static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", ".", "_", "-": true
    default: false
    }
  }

  /// Why a name is refused, in words.
  public static let rule = "a name has 1 to 200 letters, digits, dots, underscores or hyphens, and is not . or .."
}
