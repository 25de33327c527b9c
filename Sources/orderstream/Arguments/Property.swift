import OrderStreamCore

/// One librdkafka property, from `-X` or a `-F` file.
struct Property: Hashable, Sendable, CustomStringConvertible {
  let key: String
  let value: String

  var isSecret: Bool { SecretProperty.speaksOfSecrets(key) }

  /// For logs and errors: a secret value is not in it.
  var description: String { "\(key)=\(isSecret ? "***" : value)" }

  /// `key=value`, as `-X` takes it. Errors never repeat the text, which may be a secret.
  static func parse(_ text: String) throws(ValueError) -> Property {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else {
      throw ValueError(why: "the '=' is missing", remedy: "write -X property=value")
    }
    let key = trimmed(parts[0])
    guard !key.isEmpty else { throw ValueError(why: "the name before '=' is empty", remedy: "write -X property=value") }
    return Property(key: key, value: String(parts[1]))
  }

  static func trimmed(_ text: Substring) -> String {
    let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\u{c}" }
    let start = text.drop(while: isBlank)
    return String(start.reversed().drop(while: isBlank).reversed())
  }
}
