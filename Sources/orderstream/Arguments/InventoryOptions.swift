import OrderStreamCore

/// `orderstream inventory`, checked.
struct InventoryOptions: Hashable, Sendable {
  var common: CommonOptions
  var topic: String
  var group: String
  /// The member's stable name, `nil` for one of the machine's.
  var instance: String?
  var outputTopic: String
  var onError: OnError
  var bounds: RunBounds
  /// Goes on without records that were removed before the group read them.
  var acceptLoss: Bool

  /// Where bad records go, `nil` unless `--on-error dlq`.
  var deadLetterTopic: String? { onError == .dlq ? "\(topic).dlq" : nil }

  init(_ reader: OptionReader) throws(CommandError) {
    common = try reader.common()
    topic = try reader.topic()
    group = try reader.group()
    instance = try reader.instance()
    outputTopic = try reader.outputTopic(source: topic)
    onError = try reader.choice(.onError)
    bounds = try reader.bounds()
    acceptLoss = reader.flag(.acceptLoss)
    guard let deadLetterTopic else { return }
    if deadLetterTopic.utf8.count > BrokerName.maxLength {
      throw reader.conflict(
        "option --topic",
        "the name of its dead-letter topic, '\(deadLetterTopic)', is longer than \(BrokerName.maxLength)",
        "use a shorter name, or --on-error skip")
    }
    if deadLetterTopic == outputTopic {
      throw reader.conflict(
        "option --output-topic", "'\(outputTopic)' is the dead-letter topic", "use another name, or --on-error skip")
    }
  }
}
