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

/// Which librdkafka properties a user may not set, and why. Everything else goes to librdkafka, which refuses what it
/// does not know.
enum PropertyRules {
  private static let promise = "orderstream sets it, because its results depend on it"
  private static let program = "it runs or loads code"

  static let refused: [String: String] = [
    "acks": promise, "request.required.acks": promise, "enable.idempotence": promise,
    "enable.gapless.guarantee": promise, "delivery.report.only.error": promise,
    "partitioner": promise, "partitioner_cb": promise, "sticky.partitioning.linger.ms": promise,
    "transactional.id": promise, "group.instance.id": promise, "isolation.level": promise,
    "enable.auto.commit": promise, "auto.commit.enable": promise, "auto.commit.interval.ms": promise,
    "enable.auto.offset.store": promise, "auto.offset.reset": promise, "offset.store.method": promise,
    "offset.store.path": promise, "partition.assignment.strategy": promise, "group.protocol": promise,
    "group.protocol.type": promise, "enable.partition.eof": promise, "check.crcs": promise,
    "allow.auto.create.topics": promise, "log.queue": promise, "enabled_events": promise,
    "group.id": "the group is chosen with --group",
    "bootstrap.servers": "the brokers are chosen with --brokers",
    "metadata.broker.list": "the brokers are chosen with --brokers",
    "plugin.library.paths": program, "sasl.kerberos.kinit.cmd": program, "ssl.engine.location": program,
    "ssl.engine.id": program, "ssl.providers": program, "ssl_engine_callback_data": program,
    "test.mock.num.brokers": "it replaces the cluster with a mock",
    "test.mock.broker.rtt": "it replaces the cluster with a mock",
    "internal.termination.signal": "it raises signals in the process",
  ]

  /// Refuses properties in words.
  /// - Throws: `configuration`.
  static func check(_ properties: [(key: String, value: String)]) throws(BrokerError) {
    for property in properties {
      var key = property.key.lowercased()
      // librdkafka takes settings of topics with this prefix too.
      if key.hasPrefix("topic.") { key.removeFirst("topic.".count) }
      guard let reason = refused[key] else { continue }
      throw BrokerError(
        .configuration, "cannot set the property \(property.key)", why: reason, remedy: "leave it out", recovery: .none)
    }
  }
}
