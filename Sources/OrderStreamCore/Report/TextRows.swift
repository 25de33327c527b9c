/// Text in columns: a title, then rows of a label and a value, as all reports for people look.
enum TextRows {
  /// Width of the label column, as wide as the longest label of the metrics report and two spaces.
  static let labelWidth = 27

  static func append(title: String, to text: ByteBuffer) {
    text.append(title)
    text.append(UInt8(ascii: "\n"))
  }

  static func append(_ label: String, _ value: String, to text: ByteBuffer) {
    appendLabel(label, to: text)
    text.append(value)
    text.append(UInt8(ascii: "\n"))
  }

  static func append(_ label: String, _ value: Int64, to text: ByteBuffer) { append(label, String(value), to: text) }

  static func appendLabel(_ label: String, to text: ByteBuffer) {
    text.append("  " as StaticString)
    text.append(label)
    for _ in 0..<max(1, labelWidth - label.utf8.count) { text.append(UInt8(ascii: " ")) }
  }

  /// A number, right-aligned in `width` columns.
  static func appendRight(_ value: Int64, width: Int, to text: ByteBuffer) {
    appendRight(String(value), width: width, to: text)
  }

  /// Text, right-aligned in `width` columns.
  static func appendRight(_ value: String, width: Int, to text: ByteBuffer) {
    for _ in 0..<max(0, width - value.utf8.count) { text.append(UInt8(ascii: " ")) }
    text.append(value)
  }

  /// Text, left-aligned in `width` columns.
  static func appendLeft(_ value: String, width: Int, to text: ByteBuffer) {
    text.append(value)
    for _ in 0..<max(0, width - value.count) { text.append(UInt8(ascii: " ")) }
  }

  /// Hundredths as a number with exactly two decimals: 512 → `5.12`.
  static func hundredths(_ value: Int64) -> String {
    let cents = value % 100
    return "\(value / 100).\(cents < 10 ? "0" : "")\(cents)"
  }

  /// Milliseconds as seconds: 1234 → `1.234 s`.
  static func seconds(_ milliseconds: Int64) -> String {
    let rest = String(milliseconds % 1000)
    return "\(milliseconds / 1000).\(String(repeating: "0", count: 3 - rest.utf8.count))\(rest) s"
  }
}
