import OrderStreamCore

/// Places in a topic on the command line: `earliest`, `latest` or `end`, `1047`, `+10` (after the start), `-10` (before
/// the end), an RFC 3339 time, `-1h` (before now), `@1705314600000` (milliseconds since 1970); `2=1047` for one partition.
enum PlaceArgument {
  private static let remedy = """
    give earliest, latest, an offset, +<n>, -<n>, a time like 2024-01-15T10:30:00Z, -<duration>, @<ms>, or one of these \
    for one partition like 2=1047
    """

  static func parse(_ text: String) throws(ValueError) -> Place {
    if let equals = text.firstIndex(of: "="), isNumber(text[..<equals]) {
      guard let partition = Int32(text[..<equals]) else {
        throw ValueError(why: "the partition \(text[..<equals]) is out of range", remedy: remedy)
      }
      return Place(try position(text[text.index(after: equals)...]), partition: partition)
    }
    return Place(try position(text[...]))
  }

  private static func position(_ text: Substring) throws(ValueError) -> Place.Position {
    if text == "earliest" { return .earliest }
    if text == "latest" || text == "end" { return .latest }
    if isNumber(text) { return .offset(try number(text)) }
    let rest = text.dropFirst()
    switch text.first {
    case "+" where isNumber(rest): return .afterStart(try number(rest))
    case "-" where isNumber(rest): return .beforeEnd(try number(rest))
    case "@" where isNumber(rest): return .time(milliseconds: try number(rest))
    case "-":
      if let duration = try? DurationArgument.parse(String(rest)) { return .ago(duration) }
    default:
      if let time = try? TimeArgument(String(text)) { return .time(milliseconds: time.millisecondsRoundedUp) }
    }
    throw ValueError(why: "'\(text)' is no place in a topic", remedy: remedy)
  }

  private static func isNumber(_ text: Substring) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }

  private static func number(_ text: Substring) throws(ValueError) -> Int64 {
    guard let number = Int64(text) else { throw ValueError(why: "\(text) is out of range", remedy: remedy) }
    return number
  }
}
