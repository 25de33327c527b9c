/// Markup of a page. Text that comes into it by interpolation is escaped, so nothing that a document quotes becomes markup;
/// other markup comes in as it is.
struct HTML: ExpressibleByStringInterpolation, Sendable, Equatable {
  private(set) var markup: String

  init(stringLiteral value: String) { markup = value }

  init(stringInterpolation: StringInterpolation) { markup = stringInterpolation.markup }

  struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var markup = ""

    init(literalCapacity: Int, interpolationCount: Int) { markup.reserveCapacity(literalCapacity * 2) }

    mutating func appendLiteral(_ literal: String) { markup += literal }

    mutating func appendInterpolation(_ html: HTML) { markup += html.markup }

    mutating func appendInterpolation(_ text: String) { HTML.appendEscaped(text, to: &markup) }

    mutating func appendInterpolation(_ number: Int) { markup += String(number) }
  }

  var isEmpty: Bool { markup.isEmpty }

  static func += (left: inout HTML, right: HTML) { left.markup += right.markup }

  /// Appends text that becomes visible as it is: what markup is made of, and what no page may hold (control characters,
  /// code points that are no characters, marks that turn the direction of writing), as escapes.
  private static func appendEscaped(_ text: String, to markup: inout String) {
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": markup += "&amp;"
      case "<": markup += "&lt;"
      case ">": markup += "&gt;"
      case "\"": markup += "&quot;"
      case "'": markup += "&#39;"
      case "\n", "\t": markup.unicodeScalars.append(scalar)
      case _ where isForbidden(scalar): markup += "\\u{\(String(scalar.value, radix: 16))}"
      default: markup.unicodeScalars.append(scalar)
      }
    }
  }

  private static func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x200E...0x200F, 0x202A...0x202E, 0x2066...0x2069, 0xFDD0...0xFDEF, 0xFEFF: true
    case let value: value & 0xFFFE == 0xFFFE
    }
  }
}

extension Sequence<HTML> {
  /// All of them, one after the other.
  func joined(_ separator: HTML = "") -> HTML {
    var all: HTML = ""
    var isFirst = true
    for part in self {
      if !isFirst { all += separator }
      all += part
      isFirst = false
    }
    return all
  }
}

/// A table of a page: a row a thing, whose name is in its first cell.
struct PageTable {
  struct Column {
    var head: String
    var isNumber: Bool

    static func text(_ head: String) -> Column { Column(head: head, isNumber: false) }
    static func number(_ head: String) -> Column { Column(head: head, isNumber: true) }
  }

  /// What it is, for those who do not see what stands above it.
  var caption: String
  var columns: [Column]
  var rows: [[HTML]] = []
  /// What it has beside numbers and text.
  enum Look: String { case plain, bars, stack }

  /// `bars` in its last column; `stack` has a row's cells below each other on a phone.
  var look = Look.plain

  var markup: HTML {
    let heads = columns.map { column -> HTML in
      column.isNumber
        ? "<th scope=\"col\" class=\"n\">\(column.head)</th>" : "<th scope=\"col\">\(column.head)</th>"
    }
    var html: HTML = """
      <div class="scroll"><table class="\(look.rawValue)"><caption class="unseen">\(caption)</caption>
      <thead><tr>\(heads.joined())</tr></thead><tbody>

      """
    for row in rows {
      html += "<tr>"
      for (index, cell) in row.enumerated() {
        if index == 0 {
          html += "<th scope=\"row\">\(cell)</th>"
        } else if columns[index].isNumber {
          html += "<td class=\"n\">\(cell)</td>"
        } else {
          html += "<td>\(cell)</td>"
        }
      }
      html += "</tr>\n"
    }
    return "\(html)</tbody></table></div>\n"
  }

  /// The table behind a line that opens it.
  func folded(_ summary: String) -> HTML { "<details><summary>\(summary)</summary>\(markup)</details>\n" }
}
