/// A share from 0 to 1, with up to nine decimals: `0`, `0.05`, `1`.
enum FractionArgument {
  static func parse(_ text: String) throws(ValueError) -> Double {
    guard let decimal = Decimal(text, maxDecimals: 9) else {
      throw ValueError(why: "'\(text)' is not a share", remedy: "give a number from 0 to 1, like 0.05")
    }
    guard decimal.digits <= decimal.scale else {
      throw ValueError(why: "'\(text)' is out of range", remedy: "give a number from 0 to 1, like 0.05")
    }
    return Double(decimal.digits) / Double(decimal.scale)
  }
}
