import OrderStreamCore

/// Takes secrets out of texts before they reach a log line or an error: the values of the user's secret properties
/// wherever they occur, and whatever follows the name of a secret and `=` or `:`.
struct Redactor: Sendable {
  static let mask = "[redacted]"

  /// Longest first, so that a secret that contains another one goes as a whole.
  private let secrets: [String]

  init(properties: [(key: String, value: String)]) {
    var found: Set<String> = []
    for property in properties where SecretProperty.isSecret(property.key) && !property.value.isEmpty {
      found.insert(property.value)
      // Configuration values with escaped or real line feeds are printed line by line.
      for line in property.value.split(whereSeparator: \.isNewline) where line.utf8.count >= 8 {
        found.insert(String(line))
      }
    }
    secrets = found.sorted { ($0.utf8.count, $0) > ($1.utf8.count, $1) }
  }

  /// The text on one line and without secrets.
  func redact(_ text: String) -> String {
    var result = text
    for secret in secrets { result = Self.replace(secret, in: result) }
    result = Self.maskAssignments(in: result)
    return String(result.map { $0.isNewline ? " " : $0 })
  }

  private static func replace(_ secret: String, in text: String) -> String {
    guard text.utf8.count >= secret.utf8.count else { return text }
    var result = ""
    var rest = text[...]
    while let range = rest.firstRange(of: secret) {
      result += rest[..<range.lowerBound]
      result += mask
      rest = rest[range.upperBound...]
    }
    return result + rest
  }

  /// Masks `value` in `password=value`, `"sasl.password": "value"`, `client_secret=value&…`.
  private static func maskAssignments(in text: String) -> String {
    var result = ""
    var word = ""
    var rest = text[...]
    while let character = rest.first {
      rest = rest.dropFirst()
      result.append(character)
      if character.isLetter || character.isNumber || "._-".contains(character) {
        word.append(character)
        continue
      }
      if "=:".contains(character) && assignsSecret(word, separator: character) {
        let value = rest.prefix { !" ,;&\"'\n".contains($0) }
        if !value.isEmpty && value != mask[...] {
          result += mask
          rest = rest[value.endIndex...]
        }
      }
      word = ""
    }
    return result
  }

  /// "key:" and "token:" occur in ordinary sentences, "key=" and "sasl.password:" do not.
  private static func assignsSecret(_ word: String, separator: Character) -> Bool {
    let name = word.lowercased()
    guard SecretProperty.isSecret(name) else { return false }
    return separator == "=" || name.contains("password") || name.contains("secret")
  }
}
