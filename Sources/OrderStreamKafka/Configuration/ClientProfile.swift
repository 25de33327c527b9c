import CRdKafka
import OrderStreamCore

/// What a client is for, and the librdkafka settings that follow from it. The user's properties come after these, except
/// those of `promises`, which nobody may change.
struct ClientProfile {
  typealias Settings = [(key: String, value: String)]

  var type: rd_kafka_type_t
  /// Defaults that the user's properties may change.
  var defaults: Settings
  /// Set after the user's properties.
  var promises: Settings
  /// Properties of the user's that are meant for other clients: librdkafka checks whether they fit this one's settings
  /// also where it has no use for them.
  var ignored: Set<String> = []
  var reports = DeliveryReports.none
  var rebalances = false

  /// Records that a transaction may have queued; `send` waits for the broker beyond that.
  static let transactionBacklogRecords = 20_000
  /// How long the coordinator keeps a transaction open that nobody ends. Longer than a single broker is away that is
  /// restarted: a coordinator that finds a transaction too old while it loads, before it knows the leaders of partitions,
  /// ends it without telling them, and the next commit of the producer publishes what was aborted.
  static let transactionTimeout = Duration.seconds(60)
  /// The largest record that brokers take unless they are told otherwise (`message.max.bytes` of Apache Kafka).
  static let recordByteLimit = 1_048_588

  func ignores(_ property: String) -> Bool {
    let key = property.lowercased()
    return ignored.contains(key.hasPrefix("topic.") ? String(key.dropFirst("topic.".count)) : key)
  }

  private static let ofMembers: Set<String> = ["session.timeout.ms", "heartbeat.interval.ms", "max.poll.interval.ms"]
  private static let ofProducers: Set<String> = ["message.max.bytes"]
  /// Within a transaction records live as long as it does.
  private static let ofPlainProducers: Set<String> = ["message.timeout.ms", "delivery.timeout.ms"]

  private static let network: Settings = [
    ("socket.timeout.ms", "10000"), ("socket.nagle.disable", "true"), ("socket.keepalive.enable", "true"),
    ("reconnect.backoff.max.ms", "1000"), ("log.connection.close", "false"), ("log.thread.name", "false"),
    ("topic.metadata.refresh.fast.interval.ms", "100"),
  ]

  private static let sending: Settings = [
    ("compression.type", "lz4"), ("queue.buffering.max.kbytes", "65536"),
    ("message.max.bytes", "\(recordByteLimit)"), ("request.timeout.ms", "10000"),
  ]

  private static let durable: Settings = [
    ("enable.idempotence", "true"), ("acks", "all"), ("partitioner", "murmur2_random"),
  ]

  /// Idempotent producer whose reports come as events of the main queue.
  static func producer(_ pace: ProducerPace) -> ClientProfile {
    let lingerMs = pace == .bulk ? 20 : 5
    return ClientProfile(
      type: RD_KAFKA_PRODUCER,
      defaults: network + sending + [
        ("linger.ms", "\(lingerMs)"), ("queue.buffering.max.messages", "100000"), ("message.timeout.ms", "30000"),
      ],
      promises: durable, reports: .events)
  }

  /// The same with one record a batch: what a broker refuses then is that record's fault.
  static func singleRecordProducer() -> ClientProfile {
    var profile = producer(.interactive)
    profile.promises += [("batch.num.messages", "1"), ("linger.ms", "0")]
    return profile
  }

  static func transactional(id: String, limits: OutputLimits = OutputLimits(bytes: [])) -> ClientProfile {
    ClientProfile(
      type: RD_KAFKA_PRODUCER,
      defaults: network + sending + limits.settings + [
        ("linger.ms", "5"), ("queue.buffering.max.messages", "\(transactionBacklogRecords)"),
        ("transaction.timeout.ms", "\(transactionTimeout.milliseconds)"), ("retry.backoff.ms", "10"),
        // Each lost connection is to be known: what a transaction left there is looked at before the next one.
        ("log.connection.close", "true"),
      ],
      promises: durable + [("transactional.id", id)], ignored: ofPlainProducers, reports: .callback)
  }

  private static let reading: Settings =
    network + [
      ("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "1000"), ("max.poll.interval.ms", "300000"),
      ("queued.max.messages.kbytes", "8192"), ("fetch.max.bytes", "8388608"),
      // Of a partition. What a fetch brings comes on top of the queue, and is decompressed as a whole.
      ("fetch.message.max.bytes", "262144"), ("fetch.wait.max.ms", "50"), ("fetch.error.backoff.ms", "50"),
      ("topic.metadata.refresh.interval.ms", "5000"),
    ] + queueBackoff

  /// Whether it is a setting how long fetchers rest once the local queue was full (a second by default): since 2.2.
  /// `RecordSource` wakes those of older versions.
  static let setsQueueBackoff = rd_kafka_version() >= 0x0202_00ff

  private static let queueBackoff: Settings = setsQueueBackoff ? [("fetch.queue.backoff.ms", "3")] : []

  private static func explicitPositions(_ isolation: String) -> Settings {
    [
      ("enable.auto.commit", "false"), ("enable.auto.offset.store", "false"), ("check.crcs", "true"),
      ("partition.assignment.strategy", "range,roundrobin"), ("auto.offset.reset", "error"),
      ("enable.partition.eof", "true"), ("allow.auto.create.topics", "false"), ("isolation.level", isolation),
    ]
  }

  /// - Parameter instance: The static member's id; `nil` for a consumer that does not join its group.
  static func consumer(group: String, instance: String?) -> ClientProfile {
    ClientProfile(
      type: RD_KAFKA_CONSUMER, defaults: reading,
      promises: explicitPositions("read_committed") + [("group.id", group)]
        + (instance.map { [("group.instance.id", $0)] } ?? []),
      ignored: instance == nil ? ofMembers.union(ofProducers) : ofProducers, rebalances: instance != nil)
  }

  /// The group of clients that are in none. librdkafka assigns partitions only to a group; and 2.0.2 crashes when it asks
  /// for another group's offsets without one of its own and the broker says that it is not (yet) the coordinator.
  private static let noGroup = "orderstream-no-group"

  /// Reads without a group. Two of them are often open side by side, so each keeps less in memory, which costs no time.
  static func reader() -> ClientProfile {
    // librdkafka assigns partitions only to a group; nothing is ever committed to this one.
    var profile = consumer(group: noGroup, instance: nil)
    profile.defaults += [
      ("queued.max.messages.kbytes", "2048"), ("fetch.max.bytes", "2097152"), ("fetch.message.max.bytes", "262144"),
    ]
    return profile
  }

  /// Looks at a few records of one partition.
  static func peek(committed: Bool) -> ClientProfile {
    var profile = reader()
    if !committed { profile.promises += [("isolation.level", "read_uncommitted")] }
    return profile
  }

  /// Asks brokers about topics, groups and offsets; reads no records.
  /// - Parameter committed: Ends of partitions are last stable offsets instead of high watermarks.
  static func lookup(committed: Bool) -> ClientProfile {
    ClientProfile(
      type: RD_KAFKA_CONSUMER, defaults: network,
      promises: explicitPositions(committed ? "read_committed" : "read_uncommitted") + [("group.id", noGroup)],
      ignored: ofMembers.union(ofProducers))
  }
}

/// The librdkafka settings that this back end uses, for the benchmark, which gives the same ones to plain C.
package enum ClientSettings {
  package typealias Settings = [(key: String, value: String)]

  /// Those of `produce` at full speed.
  package static var producer: Settings { all(.producer(.bulk)) }

  /// Those of a consumer that does not join its group.
  package static func consumer(group: String) -> Settings { all(.consumer(group: group, instance: nil)) }

  /// Those of the producer of a pipeline's transactions.
  package static func transactional(id: String) -> Settings { all(.transactional(id: id)) }

  private static func all(_ profile: ClientProfile) -> Settings { profile.defaults + profile.promises }
}
