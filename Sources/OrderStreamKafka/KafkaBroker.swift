import CRdKafka
import OrderStreamCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A Kafka cluster through librdkafka. May be used from several threads; what it makes belongs to one thread each.
///
/// ```swift
/// let broker = try KafkaBroker.connect(
///   brokers: "localhost:9092", properties: [("security.protocol", "ssl")], wait: nil, log: log, time: time)
/// ```
public final class KafkaBroker: Broker {
  /// How long `connect` tries when it is not told to wait.
  public static let connectLimit = Duration.seconds(8)
  /// How long it tries addresses all of which refuse connections: nobody is starting up there for long.
  static let refusalLimit = Duration.seconds(2)

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
    let security = properties.last { $0.key.lowercased() == "security.protocol" }?.value ?? "plaintext"
    let clusterID = try reach(lookup, wait: wait, errors, security, time, stop: stop)
    return KafkaBroker(
      name: brokers,
      context: KafkaContext(
        factory: factory, errors: errors, time: time, outages: outages, stop: stop, lookup: lookup,
        clusterID: clusterID, lockDirectory: lockDirectory ?? IdentitySlot.defaultDirectory), stop: stop)
  }

  /// Waits until a broker answers; returns the cluster's id, empty when it has none.
  private static func reach(
    _ client: NativeClient, wait: Duration?, _ errors: KafkaErrors, _ security: String, _ time: any TimeSource,
    stop: StopFlag?
  ) throws(BrokerError) -> String {
    let what = "cannot reach a broker at \(errors.brokers)"
    let deadline = Deadline(wait ?? connectLimit, time)
    let refusal = Deadline(refusalLimit, time)
    var isProbed = false
    while true {
      do {
        try client.ping(deadline.remaining(atMost: .milliseconds(500)))
        return client.clusterID(.seconds(1)) ?? ""
      } catch {
        client.poll(.zero)
        // Whoever listens there may speak another language; to wait changes nothing about that.
        // A name that is not found may keep whoever asks for it waiting.
        let isAnswered = client.events.lastFailure.map { $0.code != RD_KAFKA_RESP_ERR__RESOLVE } ?? false
        if isAnswered, !isProbed || client.events.authenticationFailure != nil {
          isProbed = true
          if let mismatch = PortProbe.mismatch(at: errors.brokers, security, what) { throw mismatch }
        }
        if let failure = client.events.authenticationFailure { throw errors.map(failure, what, recovery: .fatal) }
        let isRefused = wait == nil && refusal.hasPassed && client.events.isRefusedEverywhere
        if deadline.hasPassed || isRefused || stop?.isRequested == true {
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

  public var hasUncommittedRecords: Bool { true }

  public func admin() throws(BrokerError) -> any Admin { try KafkaAdmin(context) }

  public func producer(_ options: ProducerOptions) throws(BrokerError) -> any Producer {
    try refuseBookkeeping(options.topic)
    return try KafkaProducer(
      options, partitionCount: try context.partitionCount(of: options.topic), context: context, stop: stop)
  }

  public func consumer(_ options: ConsumerOptions) throws(BrokerError) -> any Consumer {
    try KafkaConsumer(options, partitionCount: try context.partitionCount(of: options.topic), context: context)
  }

  public func transaction(
    for consumer: any Consumer, outputs: [String], guarantee: Guarantee
  ) throws(BrokerError) -> any Transaction {
    guard let consumer = consumer as? KafkaConsumer else {
      preconditionFailure("a transaction is for a consumer of the same broker")
    }
    for output in outputs { try refuseBookkeeping(output) }
    if guarantee != .exactlyOnce {
      return TwoStepCommit(
        guarantee, try KafkaCommitSteps(for: consumer, outputs: outputs, guarantee, context: context))
    }
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

/// Asks a port what it speaks, when librdkafka gets no further there: of a wrong `security.protocol` it sees no more than
/// that connections are closed.
enum PortProbe {
  /// How long an answer is waited for, each time.
  private static let limit = Duration.milliseconds(700)
  /// Brokers that are asked.
  private static let most = 2

  enum Language: Hashable { case plain, tls, sasl(mechanisms: [String]) }

  /// What to do about a port that speaks something else than `security.protocol` says; `nil` when nothing is known of that.
  /// - Parameter brokers: `host:port,…`.
  static func mismatch(at brokers: String, _ security: String, _ what: String) -> BrokerError? {
    let isTLS = security.lowercased().hasSuffix("ssl")
    let isSASL = security.lowercased().hasPrefix("sasl")
    for broker in brokers.split(separator: ",").prefix(most).map(String.init) {
      let (why, remedy): (String, String)
      switch language(of: broker) {
      case .tls where !isTLS:
        why = "the port \(broker) wants TLS, and the client came without it (security.protocol is \(security))"
        remedy =
          isSASL
          ? "write security.protocol=sasl_ssl"
          : "add -X security.protocol=ssl, or with a user and a password security.protocol=sasl_ssl and sasl.* in a file (-F)"
      case .sasl(let mechanisms) where !isSASL || isTLS:
        let list = mechanisms.joined(separator: ", ")
        why = "the port \(broker) wants SASL without TLS (\(list)), and security.protocol is \(security)"
        remedy =
          "put security.protocol=sasl_plaintext, sasl.mechanisms=\(mechanisms.first ?? "PLAIN"), sasl.username and "
          + "sasl.password into a file (-F)"
      case .plain where isTLS || isSASL:
        why = "the port \(broker) takes clients without TLS and SASL, and security.protocol is \(security)"
        remedy = "write security.protocol=plaintext, or choose the port that wants it"
      default: continue
      }
      return BrokerError(.configuration, what, why: why, remedy: remedy, recovery: .fatal)
    }
    return nil
  }

  /// What a port speaks; `nil` when it cannot be told.
  static func language(of broker: String) -> Language? {
    // Of a mechanism that nobody has: a SASL port answers with those that it has, a plain one that it takes none.
    if let answer = ask(broker, saslHandshake), answer.count >= 10, answer[4...7] == [0, 0, 0, 1] {
      switch Int(answer[8]) << 8 | Int(answer[9]) {
      case 33: return .sasl(mechanisms: names(answer[10...]))
      case 34: return .plain
      default: return nil
      }
    }
    // The record of a handshake, or of an alert.
    if let answer = ask(broker, clientHello), answer.count >= 3, [0x15, 0x16].contains(answer[0]), answer[1] == 3 {
      return .tls
    }
    return nil
  }

  /// SaslHandshake, version 1, correlation 1, of the client "probe" for the mechanism "NONE".
  private static let saslHandshake: [UInt8] =
    [0, 0, 0, 21, 0, 17, 0, 1, 0, 0, 0, 1, 0, 5] + Array("probe".utf8) + [0, 4] + Array("NONE".utf8)

  /// A ClientHello of TLS 1.2.
  private static let clientHello: [UInt8] = {
    let suites: [UInt8] = [0xC0, 0x2F, 0xC0, 0x30, 0xC0, 0x2B, 0xC0, 0x2C, 0x00, 0x9C, 0x00, 0x9D]
    let extensions: [UInt8] = [
      0, 10, 0, 6, 0, 4, 0, 23, 0, 24,  // groups
      0, 11, 0, 2, 1, 0,  // points
      0, 13, 0, 8, 0, 6, 4, 1, 4, 3, 5, 1,  // signatures
    ]
    var body: [UInt8] = [3, 3] + [UInt8](repeating: 0x5A, count: 32) + [0]
    body += [0, UInt8(suites.count)] + suites + [1, 0] + [0, UInt8(extensions.count)] + extensions
    let handshake = [1, 0, 0, UInt8(body.count)] + body
    return [0x16, 3, 1, 0, UInt8(handshake.count)] + handshake
  }()

  /// The strings of an array as Kafka writes it.
  private static func names(_ bytes: ArraySlice<UInt8>) -> [String] {
    var rest = bytes.dropFirst(4)
    var names: [String] = []
    while rest.count >= 2 {
      let length = Int(rest[rest.startIndex]) << 8 | Int(rest[rest.startIndex + 1])
      names.append(String(decoding: rest.dropFirst(2).prefix(length), as: UTF8.self))
      rest = rest.dropFirst(2 + length)
    }
    return names
  }

  /// Sends bytes to a port and returns what comes back first; `nil` when nothing does.
  private static func ask(_ broker: String, _ request: [UInt8]) -> [UInt8]? {
    guard let colon = broker.lastIndex(of: ":") else { return nil }
    let host = broker[..<colon].filter { $0 != "[" && $0 != "]" }
    var hints = addrinfo()
    #if canImport(Glibc)
      hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    #else
      hints.ai_socktype = SOCK_STREAM
    #endif
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, String(broker[broker.index(after: colon)...]), &hints, &found) == 0, let list = found else {
      return nil
    }
    defer { freeaddrinfo(list) }
    var next: UnsafeMutablePointer<addrinfo>? = list
    while let address = next?.pointee {
      if let answer = ask(address, request) { return answer }
      next = address.ai_next
    }
    return nil
  }

  private static func ask(_ address: addrinfo, _ request: [UInt8]) -> [UInt8]? {
    let descriptor = socket(address.ai_family, address.ai_socktype, 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    func wait(_ events: Int32) -> Bool {
      var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
      return poll(&entry, 1, Int32(limit.milliseconds)) == 1
    }
    if connect(descriptor, address.ai_addr, address.ai_addrlen) != 0 {
      guard errno == EINPROGRESS, wait(Int32(POLLOUT)) else { return nil }
    }
    #if canImport(Darwin)
      var on: Int32 = 1
      setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &on, socklen_t(MemoryLayout<Int32>.size))
      let flags: Int32 = 0
    #else
      let flags = Int32(MSG_NOSIGNAL)
    #endif
    guard send(descriptor, request, request.count, flags) == request.count, wait(Int32(POLLIN)) else { return nil }
    var answer = [UInt8](repeating: 0, count: 4096)
    let count = read(descriptor, &answer, answer.count)
    return count > 0 ? Array(answer.prefix(count)) : nil
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
