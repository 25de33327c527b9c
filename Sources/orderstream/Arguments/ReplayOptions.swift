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
    group = try reader.optional(.group, NameArgument.parse)
    execute = reader.flag(.execute)
    events = try reader.optionalInteger(.events, in: 0...ProduceOptions.maxEvents) ?? 0
  }
}
