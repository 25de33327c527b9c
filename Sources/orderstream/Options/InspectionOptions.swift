import OrderStreamCore

/// `orderstream status`, checked.
struct StatusOptions: Hashable, Sendable {
  var common: CommonOptions
  /// Only this topic; `nil` for all.
  var topic: String?
  /// Only this group; `nil` for all.
  var group: String?

  init(_ reader: OptionReader) throws(CommandError) {
    common = try reader.common()
    topic = try reader.optional(.topic, OptionValue.name)
    group = try reader.optional(.group, OptionValue.name)
  }
}

/// `orderstream tail`, checked.
struct TailOptions: Hashable, Sendable {
  var common: CommonOptions
  var topic: String
  /// Where to begin, in each partition.
  var from: Place
  /// `idleTimeout` is always `nil`.
  var bounds: RunBounds
  var raw: Bool

  init(_ reader: OptionReader) throws(CommandError) {
    common = try reader.common()
    topic = try reader.topic()
    from = try reader.value(.from, PlaceArgument.parse)
    if let partition = from.partition {
      throw reader.conflict(
        "option --from", "it names the partition \(partition) and tail begins in all of them",
        "give the place without a partition")
    }
    bounds = try reader.bounds()
    raw = reader.flag(.raw)
    if raw, common.json {
      throw reader.conflict("option --raw", "--json asks for documents", "leave one of the two out")
    }
  }
}

/// `orderstream audit`, checked.
struct AuditOptions: Hashable, Sendable {
  /// Whose uncommitted items are pending instead of lost.
  enum Group: Hashable, Sendable {
    /// That of `inventory`, where it has committed on the topic: what it has not done yet makes the run "not finished".
    case inventory
    /// This one; that it has not committed everything is normal.
    case named(String)
    /// Nobody's: every item must be there.
    case none
  }

  var common: CommonOptions
  var topic: String
  var outputTopic: String
  var group: Group
  var acceptLoss: Bool

  init(_ reader: OptionReader) throws(CommandError) {
    common = try reader.common()
    topic = try reader.topic()
    outputTopic = try reader.outputTopic(source: topic)
    let name = try reader.optional(.group, OptionValue.name)
    if name != nil, reader.flag(.noGroup) {
      throw reader.conflict("option --no-group", "--group names one", "leave one of the two out")
    }
    group = name.map(Group.named) ?? (reader.flag(.noGroup) ? .none : .inventory)
    acceptLoss = reader.flag(.acceptLoss)
  }
}

extension CommandSpec {
  static let status = CommandSpec(
    name: .status, summary: "show topics, watermarks, groups, committed offsets and lag",
    details: "Changes nothing. Internal topics are shown with -v only. An unknown group is an empty list.",
    options: [
      .topic.defaulting(to: nil, note: "all").saying("Show this topic only.").onlyAsFlag,
      .group.defaulting(to: nil, note: "all").saying("Show this group only."),
    ] + OptionSpec.connection + OptionSpec.presentation,
    examples: [
      .init(text: "everything", command: "orderstream status"),
      .init(text: "the lag of one group", command: "orderstream status --group analytics --json | jq '.groups[].lag'"),
    ])

  static let tail = CommandSpec(
    name: .tail, summary: "print the records of a topic, one JSON document a line",
    details: "Uses no group. Ends at the end of the topic as it was at the start, partition by partition.",
    options: [
      OptionSpec(
        name: .from, placeholder: "<place>", defaultValue: "earliest",
        help: "Where to begin in each partition: a place, as 'orderstream help' has them.",
        completion: .choice(["earliest", "latest"])),
      .follow.saying("Do not end at the end of the topic: run until SIGINT or SIGTERM. Waits for a missing topic."),
      .maxEvents.saying("Print this many records, then end."),
      OptionSpec(name: .raw, help: "Print each value as it is, and a line feed."),
      .topic.saying("Topic to print."),
    ] + OptionSpec.creation + OptionSpec.connection
      + [.json.saying("One JSON document a line, which is the default.")] + OptionSpec.presentation.dropFirst(),
    examples: [
      .init(text: "the first order", command: "orderstream tail --max-events 1"),
      .init(text: "values of what comes from now on", command: "orderstream tail --from latest --follow --raw"),
    ])

  static let audit = CommandSpec(
    name: .audit, summary: "join orders with inventory events and prove exactly-once",
    details: """
      Every item of every valid order must have exactly one inventory event. Counts what is lost, duplicated, phantom, \
      wrong or reordered, with up to 20 coordinates each. Changes nothing. What the group inventory has not committed \
      yet is pending, and the run is not finished (exit 1).
      """,
    options: [
      .outputTopic,
      .acceptLoss.saying("Succeed although orders have gone by retention and cannot be verified."),
      .topic,
      .group.defaulting(to: nil, note: "inventory, where it has committed").saying(
        "Count what this group has not committed yet as pending, which is no reason for exit 1 then."
      ).onlyAsFlag,
      OptionSpec(name: .noGroup, help: "Nothing is pending: every item that is not there is lost."),
    ] + OptionSpec.connection + OptionSpec.presentation,
    examples: [
      .init(text: "after an inventory run", command: "orderstream audit"),
      .init(text: "beside a running one", command: "orderstream audit --group inventory"),
    ])
}
