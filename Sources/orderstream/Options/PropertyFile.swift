import OrderStreamCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A `-F` file: `key=value` a line, blank lines, comments that begin with `#` or `!`, lines that end with LF or CR LF.
/// Blanks around key and value are dropped; there are no escapes, no continued lines, and a backslash is a backslash.
/// The last of several lines with one key counts.
///
/// Keys of our own stand in for options (`OptionSpec.fileKeys`, and `log-level`); all others are librdkafka properties.
struct PropertyFile: Sendable {
  static let maxBytes = 1 << 20

  struct Line: Hashable, Sendable {
    let number: Int
    let key: String
    let value: String
  }

  let path: String
  let lines: [Line]

  /// - Throws: `input` when it cannot be read, `configuration` when a line is malformed.
  /// - Parameter origin: who named the file: `option -F`, `ORDERSTREAM_CONFIG`.
  init(path: String, namedBy origin: String) throws(CommandError) {
    try self.init(path: path, bytes: Self.read(path, origin))
  }

  init(path: String, bytes: [UInt8]) throws(CommandError) {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw CommandError(.configuration, path, why: "it is not UTF-8", remedy: "save it as UTF-8")
    }
    self.path = path
    var lines: [Line] = []
    // CR LF is one Character, so lines are split by scalar.
    let rows = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, row) in rows.enumerated() {
      var scalars = row
      if scalars.last == "\r" { scalars.removeLast() }
      if index == 0, scalars.first == "\u{feff}" { scalars.removeFirst() }
      let content = Property.trimmed(Substring(scalars))
      if content.isEmpty || content.hasPrefix("#") || content.hasPrefix("!") { continue }
      guard let equals = content.firstIndex(of: "="), equals != content.startIndex else {
        // The line is not repeated: it may be a secret.
        throw CommandError(
          .configuration, "\(path):\(index + 1)", why: "the line is not key=value",
          remedy: "write key=value, or begin a comment with #")
      }
      lines.append(
        Line(
          number: index + 1, key: Property.trimmed(content[..<equals]),
          value: Property.trimmed(content[content.index(after: equals)...])))
    }
    self.lines = lines
  }

  /// What the file says for an option of ours; a later line wins.
  func value(_ keys: [String]) -> RawValue? {
    lines.last { keys.contains($0.key) }.map {
      RawValue(text: $0.value, source: .file(path: path, line: $0.number, key: $0.key))
    }
  }

  private static func read(_ path: String, _ origin: String) throws(CommandError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { throw unreadable(path, origin, FileDescriptor.message(errno)) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = chunk.withUnsafeMutableBytes { FileDescriptor.read(descriptor, $0) }
      if count < 0 { throw unreadable(path, origin, FileDescriptor.message(errno)) }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
      if bytes.count > maxBytes { throw unreadable(path, origin, "it is larger than 1 MiB") }
    }
  }

  private static func unreadable(_ path: String, _ origin: String, _ why: String) -> CommandError {
    CommandError(.input, "cannot read \(path)", why: why, remedy: "give \(origin) a file of properties")
  }
}

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
