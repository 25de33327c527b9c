import OrderStreamCore

/// What all commands that use a broker have in common. Topic and group are with each command, as it needs them.
struct CommonOptions: Hashable, Sendable {
  var brokers: BrokerSpec
  /// `--partitions`, `nil` unless given.
  var partitions: Int32?
  /// `--replication-factor`, `nil` unless given.
  var replicationFactor: Int16?
  /// From the `-F` file, then from `-X`; one entry a key, the last value given.
  var properties: [Property]
  var configFile: String?
  /// How long to keep trying; `nil`: give up within 10 s.
  var wait: Duration?
  var json: Bool
  var quiet: Bool
  var verbose: Bool
  var color: ColorPolicy
  var progress: ProgressPolicy
  var logLevel: LogLevel

  static let maxPartitions: Int32 = 100_000
}
