#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Text from elsewhere, made safe to show: what could move the cursor, ring, recolour, reorder or hide becomes a
/// visible escape. A backslash stays as it is, so the result is for eyes, not for parsing back.
enum TerminalText {
  /// - Parameter multiline: keeps line feeds and tabs.
  static func escaped(_ text: String, multiline: Bool = false) -> String {
    if isClean(text, multiline: multiline) { return text }
    var result = ""
    for scalar in text.unicodeScalars { append(scalar, to: &result, multiline: multiline) }
    return result
  }

  /// Bytes that may not be UTF-8: each byte that belongs to no character becomes `\xhh`.
  static func escaped(_ bytes: UnsafeRawBufferPointer, multiline: Bool = false) -> String {
    var result = ""
    var position = bytes.startIndex
    while position < bytes.endIndex {
      let length = scalarLength(bytes[position])
      let end = min(position + length, bytes.endIndex)
      if let scalar = decode(bytes[position..<end], length: length) {
        append(scalar, to: &result, multiline: multiline)
        position = end
      } else {
        result += "\\x" + hex(UInt32(bytes[position]), digits: 2)
        position += 1
      }
    }
    return result
  }

  private static func isClean(_ text: String, multiline: Bool) -> Bool {
    text.unicodeScalars.allSatisfy { !needsEscape($0, multiline: multiline) }
  }

  private static func needsEscape(_ scalar: Unicode.Scalar, multiline: Bool) -> Bool {
    switch scalar.value {
    case 0x09, 0x0A: !multiline
    case 0x00...0x1F, 0x7F...0x9F: true
    // Marks, embeddings, overrides and isolates of direction; line and paragraph separators; the byte-order mark.
    case 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
    // Tags: invisible copies of ASCII.
    case 0xE0000...0xE007F: true
    default: false
    }
  }

  private static func append(_ scalar: Unicode.Scalar, to result: inout String, multiline: Bool) {
    guard needsEscape(scalar, multiline: multiline) else {
      result.unicodeScalars.append(scalar)
      return
    }
    switch scalar.value {
    case 0x09: result += "\\t"
    case 0x0A: result += "\\n"
    case 0x0D: result += "\\r"
    case 0...0x7F: result += "\\x" + hex(scalar.value, digits: 2)
    default: result += "\\u{" + hex(scalar.value, digits: 4) + "}"
    }
  }

  private static func scalarLength(_ first: UInt8) -> Int {
    switch first {
    case 0xC2...0xDF: 2
    case 0xE0...0xEF: 3
    case 0xF0...0xF4: 4
    default: 1
    }
  }

  private static func decode(_ bytes: Slice<UnsafeRawBufferPointer>, length: Int) -> Unicode.Scalar? {
    guard bytes.count == length, let text = String(validating: bytes, as: UTF8.self) else { return nil }
    return text.unicodeScalars.first
  }

  private static func hex(_ value: UInt32, digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }
}

/// Colours for one stream; plain text where the stream has none.
struct Style: Hashable, Sendable {
  let isColored: Bool

  static let plain = Style(isColored: false)

  func bold(_ text: String) -> String { paint(text, "1") }
  func red(_ text: String) -> String { paint(text, "31") }
  func yellow(_ text: String) -> String { paint(text, "33") }
  func cyan(_ text: String) -> String { paint(text, "36") }

  private func paint(_ text: String, _ code: String) -> String {
    isColored ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
  }
}

/// `--color`: when text is coloured.
enum ColorPolicy: String, CaseIterable, Sendable {
  case auto, always, never

  /// Whether to colour what goes to one stream. `auto` follows `NO_COLOR`, then `CLICOLOR_FORCE`, then whether the
  /// stream is a terminal that can do it.
  func isColored(terminal: Bool, environment: Environment) -> Bool {
    switch self {
    case .always: return true
    case .never: return false
    case .auto:
      if let off = environment("NO_COLOR"), !off.isEmpty { return false }
      if let force = environment("CLICOLOR_FORCE"), !force.isEmpty, force != "0" { return true }
      guard terminal, let kind = environment("TERM") else { return false }
      return !kind.isEmpty && kind != "dumb"
    }
  }
}

/// How many columns a terminal has.
enum TerminalWidth {
  static let fallbackColumns = 80

  /// What the terminal says; otherwise `COLUMNS`; otherwise 80.
  static func columns(of descriptor: Int32, environment: Environment = ProcessEnvironment.lookup) -> Int {
    var size = winsize()
    if ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
    if let columns = environment("COLUMNS").flatMap({ Int($0) }), columns > 0 { return columns }
    return fallbackColumns
  }
}
