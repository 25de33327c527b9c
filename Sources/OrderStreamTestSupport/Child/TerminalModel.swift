/// What a person sees on a terminal that was sent some bytes: an xterm in small, with an alternate screen, a scroll-back
/// and the colours of its characters. A sequence that it does not know fails the test that feeds it.
package struct TerminalModel {
  package struct Cell: Equatable {
    package var character: Character = " "
    /// The parameters of the last "select graphic rendition", `""` for none: `31`, `1;31`.
    package var style = ""
  }

  private struct Page {
    var cells: [[Cell]]
    var row = 0
    var column = 0

    init(_ columns: Int, _ rows: Int) {
      cells = Array(repeating: Array(repeating: Cell(), count: columns), count: rows)
    }
  }

  package private(set) var columns: Int
  package private(set) var rows: Int
  private var main: Page
  private var alternate: Page
  package private(set) var isAlternate = false
  package private(set) var cursorIsVisible = true
  /// Lines that have left the main screen at its top, oldest first.
  package private(set) var scrollBack: [String] = []
  /// Sequences that no model is there for.
  package private(set) var unknown: [String] = []
  /// Characters that were printed behind the right edge: a person would not see them, or see them in a wrong line.
  package private(set) var overruns = 0
  /// Those of the main screen, while the alternate one is shown: each of its frames is counted anew.
  private var mainOverruns = 0
  package private(set) var wraps = true
  private var style = ""
  private var pending: [UInt8] = []

  package init(columns: Int, rows: Int) {
    (self.columns, self.rows) = (columns, rows)
    main = Page(columns, rows)
    alternate = Page(columns, rows)
  }

  // MARK: - What is seen

  /// The lines of the screen that is shown, without blanks at their ends.
  package var lines: [String] { page.cells.map(Self.text) }

  /// The lines from the first to the last one that is not blank, as one text.
  package var text: String {
    var lines = lines
    while lines.last?.isEmpty == true { lines.removeLast() }
    return lines.joined(separator: "\n")
  }

  /// The styles in which a text stands on the screen.
  package func styles(of text: String) -> Set<String> {
    var found = Set<String>()
    for line in page.cells {
      let characters = Array(text)
      guard line.count >= characters.count, !characters.isEmpty else { continue }
      for start in 0...(line.count - characters.count)
      where characters.indices.allSatisfy({ line[start + $0].character == characters[$0] }) {
        found.formUnion(characters.indices.map { line[start + $0].style })
      }
    }
    return found
  }

  private var page: Page {
    get { isAlternate ? alternate : main }
    set { if isAlternate { alternate = newValue } else { main = newValue } }
  }

  private static func text(_ cells: [Cell]) -> String {
    var text = String(cells.map(\.character))
    while text.last == " " { text.removeLast() }
    return text
  }

  // MARK: - What comes

  /// The window has another size: lines are cut or padded, as a terminal without reflow does.
  package mutating func resize(columns: Int, rows: Int) {
    (self.columns, self.rows) = (columns, rows)
    for isAlternate in [false, true] {
      var page = isAlternate ? alternate : main
      while page.cells.count > max(rows, page.row + 1), page.cells.last?.allSatisfy({ $0 == Cell() }) == true {
        page.cells.removeLast()
      }
      while page.cells.count > rows {
        let line = page.cells.removeFirst()
        if !isAlternate { scrollBack.append(Self.text(line)) }
        page.row = max(0, page.row - 1)
      }
      page.cells += Array(repeating: [], count: rows - page.cells.count)
      page.cells = page.cells.map {
        Array($0.prefix(columns)) + Array(repeating: Cell(), count: max(0, columns - $0.count))
      }
      page.row = min(page.row, rows - 1)
      page.column = min(page.column, columns)
      if isAlternate { alternate = page } else { main = page }
    }
  }

  package mutating func feed(_ bytes: some Sequence<UInt8>) {
    for byte in bytes {
      pending.append(byte)
      if let used = takePending() { pending.removeFirst(used) }
    }
  }

  /// - Returns: how many bytes were understood; `nil` while more are needed.
  private mutating func takePending() -> Int? {
    guard let first = pending.first else { return nil }
    if first == 0x1B { return takeEscape() }
    if first < 0x80 {
      control(first)
      return 1
    }
    let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
    guard pending.count >= length else { return nil }
    print(Character(String(decoding: pending[..<length], as: UTF8.self)))
    return length
  }

  private mutating func takeEscape() -> Int? {
    guard pending.count >= 2 else { return nil }
    guard pending[1] == UInt8(ascii: "[") else {
      unknown.append(String(decoding: pending[..<2], as: UTF8.self))
      return 2
    }
    guard let end = pending.dropFirst(2).firstIndex(where: { (0x40...0x7E).contains($0) }) else { return nil }
    let parameters = String(decoding: pending[2..<end], as: UTF8.self)
    execute(Character(UnicodeScalar(pending[end])), parameters)
    return end + 1
  }

  private mutating func control(_ byte: UInt8) {
    switch byte {
    case 0x0D: page.column = 0
    case 0x0A: lineFeed()
    case 0x08: page.column = max(0, page.column - 1)
    case 0x09: page.column = min(columns - 1, page.column / 8 * 8 + 8)
    case 0x20..<0x7F: print(Character(UnicodeScalar(byte)))
    default: unknown.append("\\x\(String(byte, radix: 16))")
    }
  }

  private mutating func print(_ character: Character) {
    if page.column >= columns {
      overruns += 1
      if wraps {
        page.column = 0
        lineFeed()
      } else {
        page.column = columns - 1
      }
    }
    page.cells[page.row][page.column] = Cell(character: character, style: style)
    page.column += 1
  }

  private mutating func lineFeed() {
    if page.row < rows - 1 {
      page.row += 1
      return
    }
    let line = page.cells.removeFirst()
    if !isAlternate { scrollBack.append(Self.text(line)) }
    page.cells.append(Array(repeating: Cell(), count: columns))
  }

  private mutating func execute(_ command: Character, _ parameters: String) {
    let numbers = parameters.split(separator: ";", omittingEmptySubsequences: false).map { Int($0) }
    func number(_ index: Int, default value: Int) -> Int { index < numbers.count ? numbers[index] ?? value : value }
    switch (command, parameters) {
    case ("m", _): style = ["", "0"].contains(parameters) ? "" : parameters
    case ("h", "?1049"), ("l", "?1049"):
      isAlternate = command == "h"
      if isAlternate { mainOverruns = overruns } else { overruns = mainOverruns }
      if isAlternate { alternate = Page(columns, rows) }
    case ("h", "?25"), ("l", "?25"): cursorIsVisible = command == "h"
    case ("h", "?7"), ("l", "?7"): wraps = command == "h"
    // Synchronised output changes when something is seen, not what.
    case ("h", "?2026"): overruns = mainOverruns
    case ("l", "?2026"): break
    case ("H", _):
      page.row = min(rows, max(1, number(0, default: 1))) - 1
      page.column = min(columns, max(1, number(1, default: 1))) - 1
    case ("A", _): page.row = max(0, page.row - number(0, default: 1))
    case ("J", ""), ("J", "0"):
      clear(from: page.column)
      for row in (page.row + 1)..<max(rows, page.row + 1) { page.cells[row] = Array(repeating: Cell(), count: columns) }
    case ("J", "2"): page.cells = Page(columns, rows).cells
    case ("K", ""), ("K", "0"): clear(from: page.column)
    default: unknown.append("[\(parameters)\(command)")
    }
  }

  private mutating func clear(from column: Int) {
    for column in min(column, columns)..<columns { page.cells[page.row][column] = Cell() }
  }
}
