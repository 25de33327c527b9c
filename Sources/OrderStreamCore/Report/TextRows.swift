/// Text in columns: a title, then rows of a label and a value, as all reports for people look.
public enum TextRows {
  /// Width of the label column, as wide as the longest label of the metrics report and two spaces.
  public static let labelWidth = 27

  static func append(title: String, to text: ReportText) {
    text.append(title, .title)
    text.append(UInt8(ascii: "\n"))
  }

  static func append(_ label: String, _ value: String, _ tone: Tone? = nil, to text: ReportText) {
    appendLabel(label, to: text)
    text.append(value, tone)
    text.append(UInt8(ascii: "\n"))
  }

  /// Partitions whose range is named.
  private static let rangeLimit = 20

  /// What of each partition was looked at.
  static func append(_ ranges: [Range<Offset>], of topic: String, to text: ReportText) {
    let held = ranges.enumerated().filter { !$0.element.isEmpty }
    if held.isEmpty { append("Range", "nothing", to: text) }
    for (number, range) in held.prefix(rangeLimit) {
      let first = Coordinates(TopicPartition(topic: topic, partition: Int32(number)), offset: range.lowerBound)
      append("Range", "\(first) to \(range.upperBound - 1)", to: text)
    }
    if held.count > rangeLimit { append("Range", "and \(held.count - rangeLimit) partitions more", to: text) }
  }

  static func append(_ label: String, _ value: Int64, _ tone: Tone? = nil, to text: ReportText) {
    append(label, String(value), tone, to: text)
  }

  /// A count of what should not be there.
  static func append(_ label: String, unwanted value: Int64, to text: ReportText) {
    append(label, value, value > 0 ? .bad : nil, to: text)
  }

  static func appendLabel(_ label: String, to text: ReportText) {
    text.append("  " as StaticString)
    text.append(label)
    for _ in 0..<max(1, labelWidth - label.utf8.count) { text.append(UInt8(ascii: " ")) }
  }

  /// A number, right-aligned in `width` columns.
  static func appendRight(_ value: Int64, width: Int, _ tone: Tone? = nil, to text: ReportText) {
    appendRight(String(value), width: width, tone, to: text)
  }

  /// Text, right-aligned in `width` columns.
  static func appendRight(_ value: String, width: Int, _ tone: Tone? = nil, to text: ReportText) {
    for _ in 0..<max(0, width - value.count) { text.append(UInt8(ascii: " ")) }
    text.append(value, tone)
  }

  /// Text, left-aligned in `width` columns.
  static func appendLeft(_ value: String, width: Int, _ tone: Tone? = nil, to text: ReportText) {
    text.append(value, tone)
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

  /// A number of things: `1 topic`, `2 topics`.
  public static func count(_ number: some BinaryInteger, _ noun: String) -> String {
    "\(number) \(noun)\(number == 1 ? "" : "s")"
  }
}

extension Int64 {
  /// With its digits in groups of three, for a number that moves before somebody's eyes: `1,234,567`.
  public var grouped: String {
    var text = String(magnitude)
    var place = text.count - 3
    while place > 0 {
      text.insert(",", at: text.index(text.startIndex, offsetBy: place))
      place -= 3
    }
    return self < 0 ? "-\(text)" : text
  }
}
