import OrderStreamCore

/// `--from`: where `tail` begins in each partition.
enum FromPosition: Hashable, Sendable {
  case earliest, latest
  case offset(Offset)
  /// The first record at or after this time, milliseconds since 1970 UTC.
  case time(milliseconds: Int64)

  static func parse(_ text: String) throws(ValueError) -> FromPosition {
    switch text {
    case "earliest": return .earliest
    case "latest": return .latest
    default: break
    }
    let remedy = "give earliest, latest, an offset from 0 on, or a time like 2024-01-15T10:30:00Z"
    if !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
      guard let offset = Offset(text) else { throw ValueError(why: "\(text) is out of range", remedy: remedy) }
      return .offset(offset)
    }
    guard let time = try? TimeArgument(text) else {
      throw ValueError(why: "'\(text)' is no place to begin", remedy: remedy)
    }
    return .time(milliseconds: time.millisecondsRoundedUp)
  }
}
