/// `orderstream replay`, checked.
struct ReplayOptions: Hashable, Sendable {
  var common: CommonOptions
  var topic: String
  /// A named group, changed only with `execute`; `nil` for a private one.
  var group: String?
  var execute: Bool
  /// How many orders to produce first.
  var events: Int64

  init(_ reader: OptionReader) throws(CommandError) {
    common = try reader.common()
    topic = try reader.topic()
    group = try reader.optional(.group, OptionValue.name)
    execute = reader.flag(.execute)
    events = try reader.optionalInteger(.events, in: 0...ProduceOptions.maxEvents) ?? 0
  }
}

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
    consumerDelay = try reader.value(.consumerDelay, OptionValue.duration)
    consumers = try reader.integer(.consumers, in: 1...Self.maxConsumers)
    sampleInterval = try reader.value(.sampleInterval, Self.interval)
    drainTimeout = try reader.optional(.drainTimeout, OptionValue.duration)
    keep = reader.flag(.keep)
  }

  private static func interval(_ text: String) throws(ValueError) -> Duration {
    let interval = try OptionValue.duration(text)
    guard interval >= shortestSampleInterval else {
      throw ValueError(why: "'\(text)' is too short", remedy: "give 1ms or more")
    }
    return interval
  }
}

extension CommandSpec {
  static let replay = CommandSpec(
    name: .replay, summary: "compute metrics twice and compare them to the byte",
    details: """
      Computes the metrics into metrics_initial.txt, resets the group's offsets and state, computes them again into \
      metrics_after_replay.txt, and compares. The group is private and deleted afterwards, unless --group names one.
      """,
    options: [
      OptionSpec(name: .events, placeholder: "<n>", defaultNote: "none", help: "Produce this many orders first."),
      .execute.saying("Really reset the group that --group names; without it, only say what would be done."),
      .topic,
      .group.defaulting(to: nil, note: "a private one").saying(
        "Reset and replay this group, with --execute."
      ).onlyAsFlag,
    ] + OptionSpec.creation + OptionSpec.connection + OptionSpec.presentation,
    examples: [
      .init(text: "produce 10 000 orders and prove it", command: "orderstream replay --events 10000"),
      .init(text: "rewind a group of your own", command: "orderstream replay --group analytics --execute"),
    ])

  static let lagDemo = CommandSpec(
    name: .lagDemo, summary: "a producer outruns its consumer: lag builds, peaks, drains",
    details: """
      Works on a topic and a group of its own, which it removes afterwards, and samples the lag. Succeeds only if the \
      lag drained and every event was seen exactly once.
      """,
    options: [
      OptionSpec(name: .events, placeholder: "<n>", defaultValue: "1000", help: "How many orders to produce."),
      OptionSpec(
        name: .rate, placeholder: "<rate>", defaultValue: "500/s",
        help: "How fast to produce: '500', '500/s' or 'max'.",
        completion: .choice(["max"])),
      OptionSpec(
        name: .consumerDelay, placeholder: "<duration>", defaultValue: "10ms", help: "What one record costs a consumer."
      ),
      OptionSpec(name: .consumers, placeholder: "<n>", defaultValue: "1", help: "Members of the consumer group."),
      OptionSpec(
        name: .sampleInterval, placeholder: "<duration>", defaultValue: "100ms", help: "Time between two samples."),
      OptionSpec(
        name: .drainTimeout, placeholder: "<duration>", defaultNote: "from the number of events and the delay",
        help: "Give up when the lag has not drained this long after the last event."),
      OptionSpec(name: .keep, help: "Keep the topic and the group."),
    ] + OptionSpec.creation + OptionSpec.connection + OptionSpec.presentation,
    examples: [
      .init(text: "watch it", command: "orderstream lag-demo"),
      .init(text: "three consumers keep up better", command: "orderstream lag-demo --consumers 3 --events 3000"),
    ])
}
