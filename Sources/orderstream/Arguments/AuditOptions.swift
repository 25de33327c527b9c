/// `orderstream audit`, checked.
struct AuditOptions: Hashable, Sendable {
  var common: CommonOptions
  var topic: String
  var outputTopic: String
  /// The group whose uncommitted orders are pending; `nil` for none.
  var group: String?
  var acceptLoss: Bool

  init(_ reader: OptionReader) throws(CommandError) {
    common = try reader.common()
    topic = try reader.topic()
    outputTopic = try reader.outputTopic(source: topic)
    group = try reader.optional(.group, NameArgument.parse)
    acceptLoss = reader.flag(.acceptLoss)
  }
}
