/// `orderstream tail`, checked.
struct TailOptions: Hashable, Sendable {
  var common: CommonOptions
  var topic: String
  var from: FromPosition
  /// `idleTimeout` is always `nil`.
  var bounds: RunBounds
  var raw: Bool

  init(_ reader: OptionReader) throws(CommandError) {
    common = try reader.common()
    topic = try reader.topic()
    from = try reader.value(.from, FromPosition.parse)
    bounds = try reader.bounds()
    raw = reader.flag(.raw)
    if raw, common.json {
      throw reader.conflict("option --raw", "--json asks for documents", "leave one of the two out")
    }
  }
}
