/// `orderstream analytics`, checked.
struct AnalyticsOptions: Hashable, Sendable {
  var common: CommonOptions
  var topic: String
  var group: String
  /// The member's stable name, `nil` for one of the machine's.
  var instance: String?
  var resetOffsets: Bool
  /// The file for the report; `-` for none, as `CommandContext.outputFile` takes it.
  var output: String
  /// Never `dlq`.
  var onError: OnError
  var bounds: RunBounds
  /// Goes on without records that were removed before the group read them.
  var acceptLoss: Bool

  init(_ reader: OptionReader) throws(CommandError) {
    common = try reader.common()
    topic = try reader.topic()
    group = try reader.group()
    instance = try reader.instance()
    resetOffsets = reader.flag(.resetOffsets)
    output = try reader.value(.output, PathArgument.parse)
    onError = try reader.choice(.onError)
    bounds = try reader.bounds()
    acceptLoss = reader.flag(.acceptLoss)
  }
}
