import OrderStreamCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Colours for one stream; plain text where the stream has none.
struct Style: Hashable, Sendable {
  let isColored: Bool

  static let plain = Style(isColored: false)

  func bold(_ text: String) -> String { paint(text, "1") }
  func red(_ text: String) -> String { paint(text, "31") }
  func yellow(_ text: String) -> String { paint(text, "33") }
  func cyan(_ text: String) -> String { paint(text, "36") }

  func paint(_ text: String, _ tone: Tone?) -> String {
    switch tone {
    case nil: text
    case .title: paint(text, "1")
    case .good: paint(text, "32")
    case .bad: paint(text, "1;31")
    case .warning: paint(text, "33")
    case .dim: paint(text, "2")
    case .bar: paint(text, "36")
    case .failedBar: paint(text, "31")
    }
  }

  private func paint(_ text: String, _ code: String) -> String {
    isColored && !text.isEmpty ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
  }

  /// The bytes of a report as a stream gets them.
  /// - Parameters:
  ///   - escapes: The stream is a terminal, which would obey control characters that a report quotes.
  ///   - columns: Lines that are longer go on below, between words; `nil` to leave them as they are.
  func bytes(of report: ReportText, escapes: Bool, columns: Int? = nil) -> ByteBuffer {
    if !isColored && !escapes { return report.buffer }
    let painted = ByteBuffer(capacity: report.buffer.count * 2)
    guard let columns else {
      for piece in report.pieces {
        let text =
          escapes ? TerminalText.escaped(piece.bytes, multiline: true) : String(decoding: piece.bytes, as: UTF8.self)
        painted.append(paint(text, piece.tone))
      }
      return painted
    }
    for line in report.lines {
      for part in TerminalText.wrapped(line.text, columns: columns, indent: TextRows.labelWidth + 2) {
        painted.append(String(repeating: " ", count: part.indent) + paint(line, part.range) + "\n")
      }
    }
    return painted
  }

  /// The lines of a report for a terminal, none wider than it.
  func lines(of report: ReportText, columns: Int) -> [String] {
    report.lines.map { line in
      paint(line, line.text.startIndex..<TerminalText.prefix(line.text, columns: columns).endIndex)
    }
  }

  private func paint(_ line: ReportText.Line, _ range: Range<String.Index>) -> String {
    line.tones.map { paint(String(line.text[$0.range.clamped(to: range)]), $0.tone) }.joined()
  }
}

extension ReportText {
  /// One line without its end, made safe for a terminal.
  fileprivate struct Line {
    var text = ""
    var tones: [(range: Range<String.Index>, tone: Tone?)] = []
  }

  fileprivate var lines: [Line] {
    var lines: [Line] = []
    var line = Line()
    var ends: [(Int, Tone?)] = []
    // Places are kept as numbers until the line's text is whole.
    func finish() {
      var start = line.text.startIndex
      for (count, tone) in ends {
        let end = line.text.utf8.index(line.text.startIndex, offsetBy: count)
        line.tones.append((start..<end, tone))
        start = end
      }
      lines.append(line)
      (line, ends) = (Line(), [])
    }
    for piece in pieces {
      let text = TerminalText.escaped(piece.bytes, multiline: true)
      for (index, part) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
        if index > 0 { finish() }
        line.text += part
        ends.append((line.text.utf8.count, piece.tone))
      }
    }
    if !line.text.isEmpty { finish() }
    return lines
  }

  /// The bytes in order, cut where the tone changes.
  fileprivate var pieces: [(bytes: UnsafeRawBufferPointer, tone: Tone?)] {
    var pieces: [(UnsafeRawBufferPointer, Tone?)] = []
    var position = 0
    func add(upTo end: Int, _ tone: Tone?) {
      if end > position { pieces.append((UnsafeRawBufferPointer(rebasing: buffer.bytes[position..<end]), tone)) }
      position = end
    }
    for mark in marks {
      add(upTo: mark.range.lowerBound, nil)
      add(upTo: mark.range.upperBound, mark.tone)
    }
    add(upTo: buffer.count, nil)
    return pieces
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

extension Screen {
  private static let fallback = (columns: 80, rows: 24)

  /// What the terminal behind a descriptor says; otherwise `COLUMNS` and `LINES`; otherwise 80 and 24.
  init(of descriptor: Int32, environment: Environment) {
    func number(_ variable: String) -> Int? { environment(variable).flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil } }
    var size = winsize()
    let isKnown = ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0
    self.init(
      columns: isKnown && size.ws_col > 0 ? Int(size.ws_col) : number("COLUMNS") ?? Self.fallback.columns,
      rows: isKnown && size.ws_row > 0 ? Int(size.ws_row) : number("LINES") ?? Self.fallback.rows,
      isUnicode: Self.isUnicode(environment))
  }

  /// The first of the locale's variables that is set decides, as POSIX has it.
  private static func isUnicode(_ environment: Environment) -> Bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap(environment).first { !$0.isEmpty } ?? ""
    let name = locale.lowercased()
    return name.contains("utf-8") || name.contains("utf8")
  }
}
