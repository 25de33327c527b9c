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
    let name = try reader.optional(.group, NameArgument.parse)
    if name != nil, reader.flag(.noGroup) {
      throw reader.conflict("option --no-group", "--group names one", "leave one of the two out")
    }
    group = name.map(Group.named) ?? (reader.flag(.noGroup) ? .none : .inventory)
    acceptLoss = reader.flag(.acceptLoss)
  }
}
