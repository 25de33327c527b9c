/// Whole numbers on the command line: decimal digits, no sign, no separators.
enum IntegerArgument {
  static func parse<Number: FixedWidthInteger>(
    _ text: String, in range: ClosedRange<Number>
  ) throws(ValueError) -> Number {
    let remedy = "give a whole number from \(range.lowerBound) to \(range.upperBound)"
    guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
      throw ValueError(why: "'\(text)' is not a whole number", remedy: remedy)
    }
    guard let number = Number(text), range.contains(number) else {
      throw ValueError(why: "\(text) is out of range", remedy: remedy)
    }
    return number
  }
}
