import OrderStreamCore

/// `orderstream delete`, checked.
struct DeleteOptions: Hashable, Sendable {
  var common: CommonOptions
  var request: Deletion.Request
  var execute: Bool

  init(_ reader: OptionReader) throws(CommandError) {
    common = try reader.common()
    let topics = try reader.names(.topic)
    let groups = try reader.names(.group)
    let before = try reader.optional(.before, PlaceArgument.parse)
    if before != nil, topics.isEmpty {
      throw reader.conflict("option --before", "no topic is named whose records go", "name it with --topic")
    }
    if topics.isEmpty, groups.isEmpty {
      throw reader.conflict(
        "delete", "nothing is named", "name what goes with --topic and --group; names come from the command line alone")
    }
    request = Deletion.Request(topics: topics, groups: groups, before: before)
    execute = reader.flag(.execute)
  }
}

extension CommandSpec {
  static let delete = CommandSpec(
    name: .delete, summary: "remove topics and groups, or the start of a topic",
    details: """
      Says what would go, in counts, and removes nothing unless --execute is given. A group goes with its offsets and its \
      state. Names come from the command line alone. Nothing goes when a name is unknown (exit 66) or a group active (75). \
      What a topic's removal leaves in other groups is said.
      """,
    options: [
      OptionSpec.topic.defaulting(to: nil).saying("Remove this topic, or with --before its records below a place.")
        .onlyAsFlag.repeatable,
      OptionSpec.group.defaulting(to: nil).saying("Remove this group with its offsets and its state.")
        .onlyAsFlag.repeatable,
      OptionSpec(
        name: .before, placeholder: "<place>",
        help: "Keep the topics; remove the records of each partition below this place, as 'orderstream help' has them."),
      .execute.saying("Really remove; without it, only say what would go."),
    ] + OptionSpec.connection + OptionSpec.presentation,
    examples: [
      .init(text: "what a removal would take along", command: "orderstream delete --topic order-events"),
      .init(
        text: "start from nothing", command: "orderstream delete -t order-events -g analytics -g inventory --execute"),
      .init(
        text: "forget what is older than a week", command: "orderstream delete -t order-events --before -7d --execute"),
    ])
}
