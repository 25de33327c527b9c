import OrderStreamCore

/// A Kafka cluster through librdkafka. May be used from several threads; what it makes belongs to one thread each.
///
/// ```swift
/// let broker = try KafkaBroker.connect(
///   brokers: "localhost:9092", properties: [("security.protocol", "ssl")], wait: nil, log: log, time: time)
/// ```
public final class KafkaBroker: Broker {
  /// How long `connect` tries when it is not told to wait.
  public static let connectLimit = Duration.seconds(8)

  public let name: String
  let context: KafkaContext
  private let stop: StopFlag?

  private init(name: String, context: KafkaContext, stop: StopFlag?) {
    self.name = name
    self.context = context
    self.stop = stop
  }

  /// Reaches a cluster.
  /// - Parameters:
  ///   - brokers: `host:port[,host:port…]` of at least one broker.
  ///   - properties: librdkafka's, in order; later ones win. Those that carry a promise are refused.
  ///   - clientID: What brokers call this program in their logs.
  ///   - wait: Keep trying for that long; `nil` for `connectLimit`, so that a program ends within 10 s.
  ///   - lockDirectory: Where processes of one user on one machine agree on who is which member of a group; it is made
  ///     when it is missing. `nil` for a directory of the user's below `/tmp`.
  ///   - outages: How long brokers that stop answering later are waited for.
  ///   - stop: Ends all waiting early once it is requested.
  ///   - log: Gets librdkafka's log lines and notes about waiting, without secrets; from any thread.
  /// - Throws: `unreachable` naming the address, `authentication`, `configuration` for a property that is refused.
  public static func connect(
    brokers: String, properties: [(key: String, value: String)] = [], clientID: String = "orderstream",
    wait: Duration? = nil, lockDirectory: String? = nil, outages: OutageLimit = .run, stop: StopFlag? = nil,
    log: any LogSink, time: any TimeSource
  ) throws(BrokerError) -> KafkaBroker {
    let properties = try PropertyRules.effective(properties)
    let redactor = Redactor(properties: properties)
    let errors = KafkaErrors(redactor: redactor, brokers: brokers)
    let factory = ClientFactory(
      brokers: brokers, clientID: clientID, properties: properties, redactor: redactor, log: log)
    // Each client is given only what is meant for it.
    try factory.check()
    let lookup = try factory.client(.lookup(committed: false))
    let clusterID = try reach(lookup, limit: wait ?? connectLimit, errors, time, stop: stop)
    return KafkaBroker(
      name: brokers,
      context: KafkaContext(
        factory: factory, errors: errors, time: time, outages: outages, stop: stop, lookup: lookup,
        clusterID: clusterID, lockDirectory: lockDirectory ?? IdentitySlot.defaultDirectory), stop: stop)
  }

  /// Waits until a broker answers; returns the cluster's id, empty when it has none.
  private static func reach(
    _ client: NativeClient, limit: Duration, _ errors: KafkaErrors, _ time: any TimeSource, stop: StopFlag?
  ) throws(BrokerError) -> String {
    let what = "cannot reach a broker at \(errors.brokers)"
    let deadline = Deadline(limit, time)
    while true {
      do {
        try client.ping(deadline.remaining(atMost: .milliseconds(500)))
        return client.clusterID(.seconds(1)) ?? ""
      } catch {
        client.poll(.zero)
        if let failure = client.events.authenticationFailure { throw errors.map(failure, what, recovery: .fatal) }
        if deadline.hasPassed || stop?.isRequested == true {
          let failure = client.events.lastFailure ?? error
          var mapped = errors.map(failure, what, recovery: .fatal)
          if mapped.code == .unauthorized || mapped.code == .authentication { throw mapped }
          mapped.code = .unreachable
          mapped.remedy = "check that a broker listens at \(errors.brokers), or wait for it with --wait"
          throw mapped
        }
      }
    }
  }

  /// Whether these properties could be used, without reaching a cluster.
  /// - Parameter key: Only this one is looked at; the secrets among the others are kept out of what is said about it.
  /// - Throws: `configuration` for a property that is refused or unknown.
  public static func check(properties: [(key: String, value: String)], only key: String? = nil) throws(BrokerError) {
    let looked = try PropertyRules.effective(properties.filter { key == nil || $0.key == key })
    try ClientFactory(
      brokers: "", clientID: "orderstream", properties: looked, redactor: Redactor(properties: properties),
      log: SilentLog()
    ).check()
  }

  public func admin() throws(BrokerError) -> any Admin { try KafkaAdmin(context) }

  public func producer(
    topic: String, pace: ProducerPace, reports: RecordReports.Detail
  ) throws(BrokerError) -> any Producer {
    try refuseBookkeeping(topic)
    return try KafkaProducer(
      topic: topic, partitionCount: try context.partitionCount(of: topic), pace: pace, reports: reports,
      context: context, stop: stop)
  }

  public func consumer(_ options: ConsumerOptions) throws(BrokerError) -> any Consumer {
    try KafkaConsumer(options, partitionCount: try context.partitionCount(of: options.topic), context: context)
  }

  public func transaction(for consumer: any Consumer, outputs: [String]) throws(BrokerError) -> any Transaction {
    guard let consumer = consumer as? KafkaConsumer else {
      preconditionFailure("a transaction is for a consumer of the same broker")
    }
    for output in outputs { try refuseBookkeeping(output) }
    return try KafkaTransaction(for: consumer, outputs: outputs, context: context)
  }

  /// Topics that the cluster or this program keeps for itself take no records of users.
  private func refuseBookkeeping(_ topic: String) throws(BrokerError) {
    guard StateTopic.isInternal(topic) else { return }
    throw BrokerError(
      .invalidTopic, "cannot write to \(topic)", why: "it is kept by the cluster or by orderstream itself",
      remedy: "name another topic", recovery: .none)
  }
}

/// What happens to processes, for tests that cannot end their own.
extension KafkaBroker {
  /// The consumer's process dies, with its transaction.
  package static func kill(_ consumer: any Consumer) {
    guard let consumer = consumer as? KafkaConsumer else { preconditionFailure("a consumer of a Kafka cluster") }
    consumer.die()
  }
}
