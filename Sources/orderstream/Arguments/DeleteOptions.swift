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
