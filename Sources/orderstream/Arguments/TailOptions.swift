import OrderStreamCore

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
