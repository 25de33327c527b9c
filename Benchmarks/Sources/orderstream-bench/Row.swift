/// One line of the result: a job, what was measured, and what was asked for.
struct Row: Encodable {
  enum Verdict: String, Encodable {
    case met, missed
    /// Only to compare with; nothing was asked for.
    case info
  }

  var job: String
  var value: Double
  var unit: String
  /// What the value is compared with, in words.
  var reference: String?
  /// The value divided by the reference's, or the other way round: `target` says which.
  var ratio: Double?
  var target: String?
  var verdict: Verdict
  var processorNanosecondsPerEvent: Double?
  var allocationsPerEvent: Double?
  var samples: [Double] = []

  init(_ job: String, _ value: Double, _ unit: String, samples: [Double] = []) {
    self.job = job
    self.value = value
    self.unit = unit
    self.samples = samples
    verdict = .info
  }

  /// A rate, with its cost.
  init(_ job: String, rate samples: [Sample]) {
    self.init(job, samples.medianPerSecond, "events/s", samples: samples.map(\.perSecond))
    processorNanosecondsPerEvent = samples.medianProcessorNanoseconds
    allocationsPerEvent = samples.medianAllocations
  }

  /// Asks for at least this share of a reference.
  func atLeast(_ least: Double, of reference: Double, _ name: String) -> Row {
    let ratio = reference > 0 ? value / reference : 0
    return judged(ratio >= least, "≥ \(least) ×", name, ratio)
  }

  /// Asks for at most this multiple of a reference.
  func atMost(_ most: Double, of reference: Double, _ name: String) -> Row {
    let ratio = reference > 0 ? value / reference : 0
    return judged(ratio <= most, "≤ \(most) ×", name, ratio)
  }

  /// Asks for at least this value.
  func atLeast(_ least: Double) -> Row { judged(value >= least, "≥ \(Self.short(least))") }

  /// Asks for at most this value.
  func atMost(_ most: Double) -> Row { judged(value <= most, "≤ \(Self.short(most))") }

  private func judged(_ isMet: Bool, _ target: String, _ reference: String? = nil, _ ratio: Double? = nil) -> Row {
    var row = self
    (row.reference, row.ratio, row.target, row.verdict) = (reference, ratio, target, isMet ? .met : .missed)
    return row
  }

  /// `1.25 M`, `320 k`, `12.5`.
  static func short(_ value: Double) -> String {
    switch abs(value) {
    case 1e6...: rounded(value / 1e6, 2) + " M"
    case 1e4...: rounded(value / 1e3, 0) + " k"
    case 100...: rounded(value, 0)
    case 10...: rounded(value, 1)
    default: rounded(value, value == value.rounded() ? 0 : 3)
    }
  }

  static func rounded(_ value: Double, _ decimals: Int) -> String {
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let scaled = Int64((abs(value) * scale).rounded())
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard decimals > 0 else { return sign + String(scaled) }
    let fraction = String(scaled % Int64(scale))
    return sign + String(scaled / Int64(scale)) + "." + String(repeating: "0", count: decimals - fraction.count)
      + fraction
  }
}
