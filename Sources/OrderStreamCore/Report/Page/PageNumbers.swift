/// Numbers as pages write them: by this code alone, so that a page has the same bytes everywhere.
enum PageNumber {
  /// What stands for a value that is not known.
  static let unknown = "unknown"

  /// Whole numbers in groups of three, others as they are written; `unknown` for `null`.
  static func text(_ value: DocumentValue?) -> String {
    switch value {
    case .integer(let number)?: number.grouped
    case .text(let text)?: text
    case .bool(let bool)?: bool ? "yes" : "no"
    case .decimal(let number)? where number.magnitude >= 1: decimal(number, places: 3)
    case let number?: number.numberText ?? unknown
    case nil: unknown
    }
  }

  /// A number rounded half away from zero, without zeros at its end.
  static func decimal(_ value: Double, places: Int = 1) -> String {
    guard value.magnitude < 1e15 else { return "\(value)" }
    var scale: Double = 1
    for _ in 0..<places { scale *= 10 }
    let scaled = Int64((value.magnitude * scale).rounded(.toNearestOrAwayFromZero))
    let (whole, rest) = scaled.quotientAndRemainder(dividingBy: Int64(scale))
    var digits = String(rest)
    digits = String(repeating: "0", count: places - digits.utf8.count < 0 ? 0 : places - digits.utf8.count) + digits
    while digits.hasSuffix("0") { digits.removeLast() }
    let text = whole.grouped + (digits.isEmpty || rest == 0 ? "" : ".\(digits)")
    return value < 0 && scaled != 0 ? "-\(text)" : text
  }

  /// A place in a picture: at most one decimal, no groups.
  static func place(_ value: Double) -> String {
    let tenths = Int64((min(max(value, -1e6), 1e6) * 10).rounded(.toNearestOrAwayFromZero))
    let (whole, rest) = tenths.magnitude.quotientAndRemainder(dividingBy: 10)
    return (tenths < 0 ? "-" : "") + String(whole) + (rest == 0 ? "" : ".\(rest)")
  }

  /// A number beside an axis: `500`, `20 k`, `1.5 M`.
  static func short(_ value: Double) -> String {
    for (unit, name) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")] where value.magnitude >= unit {
      return "\(decimal(value / (name == "k" ? 1e3 : unit), places: 2)) \(name)"
    }
    return decimal(value, places: 3)
  }

  /// A time that something took: `812 ms`, `8.297 s`, `3 min 5 s`, `2 h 10 min`.
  static func duration(milliseconds: Double) -> String {
    if milliseconds < 1000 { return "\(decimal(milliseconds, places: milliseconds < 100 ? 3 : 1)) ms" }
    if milliseconds < 60_000 { return "\(decimal(milliseconds / 1000, places: 3)) s" }
    guard milliseconds < 1e15 else { return "\(decimal(milliseconds)) ms" }
    let seconds = Int64(milliseconds / 1000)
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
    if hours > 0 { return "\(hours.grouped) h \(minutes) min" }
    return "\(minutes) min \(seconds % 60) s"
  }

  static func duration(_ value: DocumentValue?) -> String { value?.number.map(duration(milliseconds:)) ?? unknown }

  /// `2024-01-15 10:30:00 UTC` of a time in RFC 3339.
  static func time(_ text: String) -> String {
    guard text.utf8.count == 20, text.hasSuffix("Z") else { return text }
    return "\(text.dropLast().replacing("T", with: " ")) UTC"
  }
}

/// The marks of an axis that begins at 0: at 1, 2 or 5 times a power of ten.
struct PageAxis {
  let step: Double
  /// The last mark, at or above the largest value.
  let end: Double

  init(to largest: Double, isWhole: Bool = true) {
    let largest = largest.isFinite && largest > 0 ? min(largest, 1e18) : 1
    // The end is as near as it can be with three to six steps; of two such ends the one with fewer marks.
    var power = 1e-6
    while power * 100 <= largest { power *= 10 }
    let steps = [50.0, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1].map { $0 * power }
    let even = steps.filter { step in
      let count = (largest / step).rounded(.up)
      return count >= 3 && count <= 6 && (!isWhole || step >= 1)
    }
    func top(_ step: Double) -> Double { (largest / step).rounded(.up) * step }
    step = even.min { top($0) < top($1) } ?? (isWhole ? 1 : largest)
    end = top(step)
  }

  /// - Parameters:
  ///   - steps: Allowed steps, the smallest first; beyond them they double.
  init(to largest: Double, steps: [Double], marks: Int) {
    let largest = largest.isFinite && largest > 0 ? min(largest, 1e18) : 1
    var step = steps.first { largest / $0 <= Double(marks) } ?? steps[steps.count - 1]
    while largest / step > Double(marks) { step *= 2 }
    self.step = step
    end = largest
  }

  var marks: [Double] {
    var marks: [Double] = []
    var index: Double = 0
    while index * step <= end * 1.000_001, marks.count < 64 {
      marks.append(index * step)
      index += 1
    }
    return marks
  }
}

/// The decimal logarithm, the same on every machine.
func decimalLogarithm(_ value: Double) -> Double {
  precondition(value > 0 && value.isFinite, "only numbers above 0 have a logarithm")
  // ln m = 2 artanh((m − 1) / (m + 1)), for a significand m in 1..<2.
  let ratio = (value.significand - 1) / (value.significand + 1)
  let square = ratio * ratio
  var (power, sum) = (ratio, 0.0)
  for odd in stride(from: 1.0, to: 40, by: 2) {
    sum += power / odd
    power *= square
  }
  let binary = Double(value.exponent) * 0.693_147_180_559_945_3
  return (2 * sum + binary) * 0.434_294_481_903_251_8
}
