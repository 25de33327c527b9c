import OrderStreamCore

/// When a consuming run ends.
struct RunBounds: Hashable, Sendable {
  /// Does not end at the end of the topic. `--idle-timeout` implies it.
  var follow: Bool
  /// Ends after this long without a record; `nil`: never for that reason.
  var idleTimeout: Duration?
  /// Ends when exactly this many records are committed; `nil`: no limit. Counts with and without `follow`.
  var maxEvents: Int64?
}

/// `--on-error`: what becomes of a record that is not an order.
enum OnError: String, CaseIterable, Sendable {
  /// Copy it to `<topic>.dlq` and go on.
  case dlq
  /// Count it and go on.
  case skip
  /// Stop before it, with exit 65.
  case fail
}

/// Options of a run that reads as a member of a group: `inventory` and `analytics`.
struct GroupRunOptions: Hashable, Sendable {
  var common: CommonOptions
  var topic: String
  var group: String
  /// The member's stable name, `nil` for one of the machine's.
  var instance: String?
  var onError: OnError
  var bounds: RunBounds
  /// Goes on without records that were removed before the group read them.
  var acceptLoss: Bool

  init(_ reader: OptionReader) throws(CommandError) {
    common = try reader.common()
    topic = try reader.topic()
    group = try reader.value(.group, OptionValue.name)
    instance = try reader.optional(.instance, OptionValue.name)
    onError = try reader.choice(.onError)
    bounds = try reader.bounds()
    acceptLoss = reader.flag(.acceptLoss)
  }
}

/// `orderstream inventory`, checked.
struct InventoryOptions: Hashable, Sendable {
  var run: GroupRunOptions
  var outputTopic: String

  /// Where bad records go, `nil` unless `--on-error dlq`.
  var deadLetterTopic: String? { run.onError == .dlq ? "\(run.topic).dlq" : nil }

  init(_ reader: OptionReader) throws(CommandError) {
    run = try GroupRunOptions(reader)
    outputTopic = try reader.outputTopic(source: run.topic)
    guard let deadLetterTopic else { return }
    if deadLetterTopic.utf8.count > BrokerName.maxLength {
      throw reader.conflict(
        "option --topic",
        "the name of its dead-letter topic, '\(deadLetterTopic)', is longer than \(BrokerName.maxLength)",
        "use a shorter name, or --on-error skip")
    }
    if deadLetterTopic == outputTopic {
      throw reader.conflict(
        "option --output-topic", "'\(outputTopic)' is the dead-letter topic", "use another name, or --on-error skip")
    }
  }
}

/// `orderstream analytics`, checked. `--on-error` is never `dlq`.
struct AnalyticsOptions: Hashable, Sendable {
  var run: GroupRunOptions
  var resetOffsets: Bool
  /// The file for the report; `-` for none, as `CommandContext.outputFile` takes it.
  var output: String

  init(_ reader: OptionReader) throws(CommandError) {
    run = try GroupRunOptions(reader)
    resetOffsets = reader.flag(.resetOffsets)
    output = try reader.value(.output, OptionValue.path)
  }
}

/// Options that these two share.
extension OptionSpec {
  static let follow = OptionSpec(
    name: .follow, help: "Do not end at the end of the topic: run until SIGINT or SIGTERM. Creates a missing topic.")
  static let idleTimeout = OptionSpec(
    name: .idleTimeout, placeholder: "<duration>", help: "Like --follow, but end after this long without a record.")
  static let maxEvents = OptionSpec(
    name: .maxEvents, placeholder: "<n>", defaultNote: "no limit", help: "Commit exactly this many records, then end.")
  static let acceptLoss = OptionSpec(
    name: .acceptLoss, help: "Go on without records that retention removed before the group read them.")

  static func onError(_ choices: [OnError], help: String) -> OptionSpec {
    OptionSpec(
      name: .onError, placeholder: "<what>", defaultValue: choices.first?.rawValue, help: help,
      completion: .choice(choices.map(\.rawValue)))
  }
}

extension CommandSpec {
  static let inventory = CommandSpec(
    name: .inventory, summary: "turn orders into inventory events, exactly once",
    details: """
      Consumes orders and emits one InventoryEvent per item. Output, dead letters, state and offsets are committed in \
      one transaction. Ends when the group has reached the end of the topic as it was at the start.
      """,
    options: [
      .outputTopic.saying("Topic to write the inventory events to."),
      .onError(
        [.dlq, .skip, .fail],
        help: "A record that is not an order: 'dlq' copies it to <topic>.dlq, 'skip' counts it, 'fail' stops (exit 65)."
      ),
      .follow, .idleTimeout, .maxEvents, .acceptLoss, .topic, .group.defaulting(to: "inventory"), .instance,
    ] + OptionSpec.creation + OptionSpec.connection + OptionSpec.presentation,
    examples: [
      .init(text: "everything that is there now", command: "orderstream inventory"),
      .init(text: "a service on a cluster", command: "orderstream inventory -b localhost:9092 --follow"),
    ])

  static let analytics = CommandSpec(
    name: .analytics, summary: "compute order metrics, print and save them",
    details: """
      Metrics of all orders that the group has ever processed on this topic. A restart goes on where the group \
      stopped; every member reports the group's totals. The average is over the minutes that have orders. Current is \
      the latest minute that has orders, by event time: an event of the year 2999 is current until a later one comes.
      """,
    options: [
      OptionSpec(
        name: .resetOffsets, help: "Forget the group's state and offsets and compute again from the earliest record."),
      OptionSpec(
        name: .output, placeholder: "<file|->", defaultValue: "metrics_output.txt",
        help: "File for the report, besides stdout ('-': no file).", completion: .file),
      .onError([.skip, .fail], help: "A record that is not an order: 'skip' counts it, 'fail' stops (exit 65)."),
      .follow, .idleTimeout, .maxEvents, .acceptLoss, .topic, .group.defaulting(to: "analytics"), .instance,
    ] + OptionSpec.creation + OptionSpec.connection + OptionSpec.presentation,
    examples: [
      .init(text: "the report of everything up to now", command: "orderstream analytics"),
      .init(text: "a live view", command: "orderstream analytics --follow"),
      .init(text: "one number for a script", command: "orderstream analytics --json --output - | jq .total_orders"),
    ])
}
