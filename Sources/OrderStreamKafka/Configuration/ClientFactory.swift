import CRdKafka
import OrderStreamCore
import OrderStreamThreads

/// Makes clients of one cluster with the user's properties.
struct ClientFactory: Sendable {
  let brokers: String
  let clientID: String
  let properties: [(key: String, value: String)]
  let redactor: Redactor
  let log: any LogSink

  /// What brokers know the clients of this run by; the user's property wins.
  var effectiveClientID: String { properties.last { $0.key == "client.id" }?.value ?? clientID }

  /// The user's own limit for records that are sent.
  var messageByteLimit: Int? { properties.last { $0.key == "message.max.bytes" }.flatMap { Int($0.value) } }

  /// - Throws: `configuration` with librdkafka's own words for a property or value that it refuses.
  func client(_ profile: ClientProfile) throws(BrokerError) -> NativeClient {
    let configuration = NativeConfiguration()
    let events = ClientEvents(log: log, redactor: redactor)
    do {
      for (key, value) in profile.defaults + [("client.id", clientID)] { try configuration.set(key, value) }
      for (key, value) in properties where !profile.ignores(key) { try configuration.set(key, value) }
      for (key, value) in profile.promises + [("bootstrap.servers", brokers)] { try configuration.set(key, value) }
      configuration.direct(to: events, rebalances: profile.rebalances, reports: profile.reports)
      return try NativeClient(configuration, profile.type, events: events)
    } catch {
      throw refused(error)
    }
  }

  /// Whether librdkafka knows the user's properties and takes their values.
  func check() throws(BrokerError) {
    let configuration = NativeConfiguration()
    do throws(NativeConfiguration.Refusal) {
      for (key, value) in properties { try configuration.set(key, value) }
    } catch {
      throw refused(error)
    }
  }

  private func refused(_ refusal: NativeConfiguration.Refusal) -> BrokerError {
    if refusal.isLackOfThreads {
      return BrokerError(
        .io, "cannot make a client", why: redactor.redact(refusal.reason), remedy: NoRoomForThread.remedy,
        recovery: .fatal)
    }
    let what =
      refusal.property.isEmpty ? "cannot use these properties" : "cannot set the property \(refusal.property)"
    return BrokerError(
      .configuration, what, why: redactor.redact(refusal.reason),
      remedy: "see librdkafka's list of configuration properties", recovery: .none)
  }
}

/// Which librdkafka properties a user may not set, and why. What says only what holds anyway is taken, as the templates of
/// vendors have it. Everything else goes to librdkafka, which refuses what it does not know.
public enum PropertyRules {
  public struct Rule: Hashable, Sendable {
    public var reason: String
    /// Values that change nothing, the plainest first.
    public var harmless: [String] = []
  }

  private static let program = Rule(reason: "it runs or loads code")
  private static let mock = Rule(reason: "it replaces the cluster with a mock")

  private static func promise(_ harmless: String...) -> Rule {
    Rule(reason: "orderstream sets it, because its results depend on it", harmless: harmless)
  }

  private static let acks = Rule(
    reason: "an acknowledgement means that all replicas have the record, unless produce --acks asks for less",
    harmless: ["all", "-1"])

  static let rules: [String: Rule] = [
    "acks": acks, "request.required.acks": acks,
    "enable.idempotence": promise("true"), "enable.gapless.guarantee": promise("false"),
    "delivery.report.only.error": promise("false"), "partitioner": promise("murmur2_random", "murmur2"),
    "partitioner_cb": promise(), "sticky.partitioning.linger.ms": promise(), "transactional.id": promise(),
    "group.instance.id": Rule(reason: "a member's stable name is chosen with --instance"),
    "isolation.level": promise("read_committed"), "enable.auto.commit": promise("false"),
    "auto.commit.enable": promise("false"), "auto.commit.interval.ms": promise(),
    "enable.auto.offset.store": promise("false"), "auto.offset.reset": promise("earliest", "smallest", "beginning"),
    "offset.store.method": promise("broker"), "offset.store.path": promise(),
    "partition.assignment.strategy": promise(
      "range,roundrobin", "range", "roundrobin", "org.apache.kafka.clients.consumer.RangeAssignor"),
    "group.protocol": promise("classic"), "group.protocol.type": promise("consumer"),
    "enable.partition.eof": promise("true"), "check.crcs": promise("true"),
    "allow.auto.create.topics": promise("false"), "log.queue": promise("false"), "enabled_events": promise(),
    "group.id": Rule(reason: "the group is chosen with --group"),
    "bootstrap.servers": Rule(reason: "the brokers are chosen with --brokers"),
    "metadata.broker.list": Rule(reason: "the brokers are chosen with --brokers"),
    "plugin.library.paths": program, "sasl.kerberos.kinit.cmd": program, "ssl.engine.location": program,
    "ssl.engine.id": program, "ssl.providers": program, "ssl_engine_callback_data": program,
    "test.mock.num.brokers": mock, "test.mock.broker.rtt": mock,
    "internal.termination.signal": Rule(reason: "it raises signals in the process"),
  ]

  /// The properties that are left for librdkafka.
  /// - Throws: `configuration` in words for one that would change what must not be changed.
  static func effective(
    _ properties: [(key: String, value: String)]
  ) throws(BrokerError) -> [(key: String, value: String)] {
    var left: [(key: String, value: String)] = []
    for property in properties {
      var key = property.key.lowercased()
      // librdkafka takes settings of topics with this prefix too.
      if key.hasPrefix("topic.") { key.removeFirst("topic.".count) }
      guard let rule = rules[key] else {
        left.append(property)
        continue
      }
      let value = property.value.lowercased().filter { $0 != " " }
      if rule.harmless.contains(where: { $0.lowercased() == value }) { continue }
      let other = rule.harmless.first.map { "write \(property.key)=\($0), or " } ?? ""
      throw BrokerError(
        .configuration, "cannot set the property \(property.key)", why: rule.reason, remedy: "\(other)remove it",
        recovery: .none)
    }
    return left
  }
}

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

  /// What a record's acknowledgement means. A producer that asks for less than all replicas cannot be idempotent.
  private static func promises(_ acks: Acks) -> Settings {
    acks == .all
      ? durable : [("enable.idempotence", "false"), ("acks", acks.rawValue), ("partitioner", "murmur2_random")]
  }

  /// Producer whose reports come as events of the main queue.
  static func producer(_ pace: ProducerPace, _ acks: Acks = .all) -> ClientProfile {
    let lingerMs = pace == .bulk ? 20 : 5
    return ClientProfile(
      type: RD_KAFKA_PRODUCER,
      defaults: network + sending + [
        ("linger.ms", "\(lingerMs)"), ("queue.buffering.max.messages", "100000"), ("message.timeout.ms", "30000"),
      ],
      promises: promises(acks), reports: .events)
  }

  /// The same with one record a batch: what a broker refuses then is that record's fault.
  static func singleRecordProducer(_ acks: Acks = .all) -> ClientProfile {
    var profile = producer(.interactive, acks)
    profile.promises += [("batch.num.messages", "1"), ("linger.ms", "0")]
    return profile
  }

  static func transactional(id: String, limits: OutputLimits = OutputLimits(bytes: [])) -> ClientProfile {
    ClientProfile(
      type: RD_KAFKA_PRODUCER,
      defaults: network + sending + limits.settings + [
        ("linger.ms", "5"), ("queue.buffering.max.messages", "\(transactionBacklogRecords)"),
        ("transaction.timeout.ms", "\(transactionTimeout.milliseconds)"), ("retry.backoff.ms", "10"),
        // Each lost connection must be known: what a transaction left there is looked at before the next one.
        ("log.connection.close", "true"),
      ],
      promises: durable + [("transactional.id", id)], ignored: ofPlainProducers, reports: .callback)
  }

  /// The producer of a pipeline's outputs without transactions.
  static func outputs(_ limits: OutputLimits) -> ClientProfile {
    ClientProfile(
      type: RD_KAFKA_PRODUCER,
      defaults: network + sending + limits.settings + [
        ("linger.ms", "5"), ("queue.buffering.max.messages", "\(transactionBacklogRecords)"),
        ("message.timeout.ms", "30000"),
      ],
      promises: durable, reports: .callback)
  }

  private static let reading: Settings =
    network + [
      ("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "1000"), ("max.poll.interval.ms", "300000"),
      ("queued.max.messages.kbytes", "8192"), ("fetch.wait.max.ms", "50"), ("fetch.error.backoff.ms", "50"),
      ("topic.metadata.refresh.interval.ms", "5000"),
      // One batch or a few, of whatever partitions. What a fetch brings comes on top of the queue and is decompressed as a
      // whole; of little at a time the records are taken while the next fetch is under way, and not while librdkafka's
      // thread allocates, under one lock with ours, which frees.
      ("fetch.max.bytes", "\(fetchByteLimit)"), ("fetch.message.max.bytes", "\(fetchByteLimit)"),
      // Not less than `fetch.max.bytes` may be; of no other use to a consumer.
      ("message.max.bytes", "\(fetchByteLimit)"),
    ] + queueBackoff

  private static let fetchByteLimit = 262_144

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
  static func reader(_ isolation: Isolation = .committed) -> ClientProfile {
    // librdkafka assigns partitions only to a group; nothing is ever committed to this one.
    var profile = consumer(group: noGroup, instance: nil)
    profile.defaults += [("queued.max.messages.kbytes", "2048")]
    if isolation == .uncommitted { profile.promises += [("isolation.level", "read_uncommitted")] }
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
public enum ClientSettings {
  public typealias Settings = [(key: String, value: String)]

  /// Those of `produce` at full speed.
  public static var producer: Settings { all(.producer(.bulk)) }

  /// Those of a consumer that does not join its group.
  public static func consumer(group: String) -> Settings { all(.consumer(group: group, instance: nil)) }

  /// Those of the producer of a pipeline's transactions.
  public static func transactional(id: String) -> Settings { all(.transactional(id: id)) }

  private static func all(_ profile: ClientProfile) -> Settings { profile.defaults + profile.promises }
}
