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

  /// A line of ours without its colours.
  static func withoutStyle(_ text: String) -> String {
    text.replacing(/\u{1b}\[[0-9;]*m/, with: "")
  }

  // MARK: - Width

  /// Columns that a terminal gives to a text without control characters.
  static func columns(of text: some StringProtocol) -> Int {
    text.utf8.allSatisfy { $0 < 0x80 } ? text.utf8.count : text.reduce(0) { $0 + columns(of: $1) }
  }

  /// As much of a text as `columns` hold.
  static func prefix<Text: StringProtocol>(_ text: Text, columns: Int) -> Text.SubSequence {
    var room = columns
    return text.prefix { character in
      room -= Self.columns(of: character)
      return room >= 0
    }
  }

  /// Where a line is broken so that it fits: between words where that can be, else behind a slash or a comma, and else
  /// where the room ends.
  /// - Parameter indent: Blanks in front of all parts but the first; fewer where there is little room.
  static func wrapped(_ text: String, columns: Int, indent: Int) -> [(range: Range<String.Index>, indent: Int)] {
    let indent = columns >= 2 * indent ? indent : min(indent, 4, columns / 4)
    var parts: [(range: Range<String.Index>, indent: Int)] = []
    var start = text.startIndex
    while true {
      let rest = text[start...]
      let room = max(1, columns - (parts.isEmpty ? 0 : indent))
      let fitting = prefix(rest, columns: room)
      if fitting.endIndex == text.endIndex || fitting.isEmpty {
        parts.append((start..<text.endIndex, parts.isEmpty ? 0 : indent))
        return parts
      }
      var end = fitting.endIndex
      if text[end] != " " {
        let blanks = fitting.indices.reversed().lazy.filter { text[$0] == " " }
        let marks = fitting.indices.reversed().lazy.filter { text[$0] == "/" || text[$0] == "," }
        // Blanks in front of the first word, or behind a label, are no place to break at.
        if let blank = blanks.first, fitting[..<blank].contains(where: { $0 != " " }) {
          end = blank
        } else if let mark = marks.first {
          end = text.index(after: mark)
        }
      }
      parts.append((start..<end, parts.isEmpty ? 0 : indent))
      start = text[end...].firstIndex { $0 != " " } ?? text.endIndex
      if start == text.endIndex { return parts }
    }
  }

  /// East Asian wide characters and pictures take two columns (Unicode Standard Annex 11).
  private static func columns(of character: Character) -> Int {
    guard let scalar = character.unicodeScalars.first, scalar.value >= 0x1100 else { return 1 }
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
      0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
      return 2
    default: return 1
    }
  }
}
