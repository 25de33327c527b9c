/// `orderstream status`, checked.
struct StatusOptions: Hashable, Sendable {
  var common: CommonOptions
  /// Only this topic; `nil` for all.
  var topic: String?
  /// Only this group; `nil` for all.
  var group: String?

  init(_ reader: OptionReader) throws(CommandError) {
    common = try reader.common()
    topic = try reader.optional(.topic, NameArgument.parse)
    group = try reader.optional(.group, NameArgument.parse)
  }
}
