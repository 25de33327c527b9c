/// `orderstream lag-demo`, checked.
struct LagDemoOptions: Hashable, Sendable {
  var common: CommonOptions
  var events: Int64
  var rate: Rate
  /// What one record costs a consumer; may be 0.
  var consumerDelay: Duration
  var consumers: Int
  var sampleInterval: Duration
  /// `nil`: the command works it out from the events and the delay.
  var drainTimeout: Duration?
  var keep: Bool

  static let maxEvents: Int64 = 100_000_000
  static let maxConsumers = 100
  static let shortestSampleInterval = Duration.milliseconds(1)

  init(_ reader: OptionReader) throws(CommandError) {
    common = try reader.common()
    events = try reader.integer(.events, in: 1...Self.maxEvents)
    rate = try reader.value(.rate, Rate.parse)
    consumerDelay = try reader.value(.consumerDelay, DurationArgument.parse)
    consumers = try reader.integer(.consumers, in: 1...Self.maxConsumers)
    sampleInterval = try reader.value(.sampleInterval) { (text) throws(ValueError) in
      let interval = try DurationArgument.parse(text)
      guard interval >= Self.shortestSampleInterval else {
        throw ValueError(why: "'\(text)' is too short", remedy: "give 1ms or more")
      }
      return interval
    }
    drainTimeout = try reader.optional(.drainTimeout, DurationArgument.parse)
    keep = reader.flag(.keep)
  }
}
