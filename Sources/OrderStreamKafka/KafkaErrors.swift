import CRdKafka
import OrderStreamCore

/// The only place that turns librdkafka's error codes into errors of the project. Every text is redacted here.
struct KafkaErrors: Sendable {
  let redactor: Redactor
  /// `host:port,…`, for errors that are about reaching them.
  let brokers: String

  /// - Parameters:
  ///   - what: What failed: `cannot append to order-events[2]`.
  ///   - needs: The right that the request takes, for when it is refused.
  ///   - recovery: Overrides what the error's class says, where the caller knows better.
  func map(
    _ error: NativeError, _ what: String, needs: AccessRight? = nil, recovery: BrokerError.Recovery? = nil
  ) -> BrokerError {
    if let needs, Self.meaning(of: error.code).0 == .unauthorized {
      return denied([needs], error, what, recovery: recovery)
    }
    // A broker that closes the connection instead of refusing the credentials in words.
    let isRefusal = error.code == RD_KAFKA_RESP_ERR__TRANSPORT && error.text.contains("SASL authentication error")
    let (code, remedy) = Self.meaning(of: isRefusal ? RD_KAFKA_RESP_ERR__AUTHENTICATION : error.code)
    return BrokerError(
      code, redactor.redact(what), why: why(error), remedy: remedy.replacing("{brokers}", with: brokers),
      recovery: recovery ?? Self.recovery(error, code))
  }

  /// A request that was refused for want of one of these rights.
  func denied(
    _ rights: [AccessRight], _ error: NativeError, _ what: String, recovery: BrokerError.Recovery? = nil
  ) -> BrokerError {
    let list = rights.map(\.description).joined(separator: ", or ")
    return BrokerError(
      .unauthorized, redactor.redact(what), why: redactor.redact("no right to \(list) (\(error.name))"),
      remedy: "have it granted (kafka-acls.sh --add), or use another user", recovery: recovery ?? .fatal)
  }

  private func why(_ error: NativeError) -> String {
    let words = String(cString: rd_kafka_err2str(error.code))
    let text = error.text.contains(words) || words.hasPrefix("Local: ") ? error.text : "\(words): \(error.text)"
    return redactor.redact("\(Self.plain(text)) (\(error.name))")
  }

  /// Without what librdkafka says of its own state: `k:1/bootstrap: Connect to … failed: Connection refused (after 0ms in
  /// state CONNECT, 1 identical error(s) suppressed)`.
  static func plain(_ text: String) -> String {
    var text = text.replacing("/bootstrap: ", with: ": ")
    while let start = text.firstRange(of: " (after "), let end = text[start.upperBound...].firstRange(of: "in state "),
      let close = text[end.upperBound...].firstIndex(of: ")")
    {
      // The count of identical errors has parentheses of its own.
      let isNested = text[close...].hasPrefix(") suppressed)")
      text.removeSubrange(start.lowerBound..<(isNested ? text.index(close, offsetBy: 13) : text.index(after: close)))
    }
    return text
  }

  /// The classes that librdkafka gives to errors of transactions, and for the rest the one that the code implies.
  private static func recovery(_ error: NativeError, _ code: BrokerError.Code) -> BrokerError.Recovery {
    if error.isFatal { return .fatal }
    if error.requiresAbort { return .abort }
    if error.isRetriable { return .retry }
    switch code {
    case .timedOut, .busy: return .retry
    case .unreachable, .authentication, .unauthorized, .fenced, .damaged, .offsetOutOfRange, .internalError:
      return .fatal
    default: return .none
    }
  }

  /// What a client says of a leader that is away: current versions forget the broker, and its partitions with it.
  static func isSilence(_ code: rd_kafka_resp_err_t) -> Bool {
    switch code {
    case RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, NativeError.destroyedBroker: true
    default: false
    }
  }

  /// What a broker says that coordinates the group no longer.
  static func comesFromFormerCoordinator(_ code: rd_kafka_resp_err_t) -> Bool {
    switch code {
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE: true
    default: false
    }
  }

  private static func meaning(of code: rd_kafka_resp_err_t) -> (BrokerError.Code, remedy: String) {
    switch code {
    case NativeError.destroyedBroker, RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__RESOLVE,
      RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
      RD_KAFKA_RESP_ERR__SSL, RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
      (.unreachable, "check that a broker listens at {brokers}")
    case RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
      RD_KAFKA_RESP_ERR__WAIT_COORD, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
      RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
      RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
      RD_KAFKA_RESP_ERR_NOT_CONTROLLER, RD_KAFKA_RESP_ERR__WAIT_CACHE,
      RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
      RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
      (.timedOut, "try again")
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
      RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
      (.busy, "try again")
    case RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
      RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
      (.authentication, "check the user, the password and the mechanism (sasl.*)")
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
      RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
      RD_KAFKA_RESP_ERR_SECURITY_DISABLED, RD_KAFKA_RESP_ERR_DELEGATION_TOKEN_AUTHORIZATION_FAILED:
      (.unauthorized, "ask for the right that is missing, or use another user")
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
      (.unknownTopic, "")
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: (.unknownPartition, "")
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS: (.topicExists, "")
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION: (.invalidTopic, "")
    case RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP: (.groupActive, "stop its members first")
    case RD_KAFKA_RESP_ERR__FENCED, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
      RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
      RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
      RD_KAFKA_RESP_ERR_STALE_CTRL_EPOCH:
      (.fenced, "")
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      (.offsetOutOfRange, "start again from an offset that is still there")
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
      (.recordTooLarge, "raise the topic's max.message.bytes and set -X message.max.bytes")
    case NativeError.anotherRecord, RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
      (.recordRefused, "check the topic's settings (message.timestamp.*, cleanup.policy)")
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT,
      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
      RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID:
      (.deliveryFailed, "check the cluster's health")
    case RD_KAFKA_RESP_ERR__QUEUE_FULL: (.busy, "try again")
    case RD_KAFKA_RESP_ERR__BAD_MSG, RD_KAFKA_RESP_ERR__BAD_COMPRESSION, RD_KAFKA_RESP_ERR_INVALID_MSG:
      (.damaged, "check the disks of the brokers")
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
      // The leader has lost a disk; another one takes its place.
      (.timedOut, "check the disks of the brokers")
    case RD_KAFKA_RESP_ERR__FS, RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE:
      (.io, "check the disks of the brokers")
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR,
      RD_KAFKA_RESP_ERR_INVALID_REPLICA_ASSIGNMENT, RD_KAFKA_RESP_ERR_INVALID_CONFIG,
      RD_KAFKA_RESP_ERR_POLICY_VIOLATION, RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT,
      RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT, RD_KAFKA_RESP_ERR__INVALID_ARG:
      (.configuration, "")
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE,
      RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
      (.unsupported, "use Kafka 2.5 or newer")
    default: (.internalError, "")
    }
  }
}

/// What a user must be allowed to do for a request to succeed, in the words of Kafka's authorizer.
struct AccessRight: Sendable, CustomStringConvertible {
  enum Operation: String {
    case read, write, describe, create, alter, delete, idempotentWrite = "idempotent_write"
    case describeConfigs = "describe_configs"
  }
  enum Resource {
    case topic(String), group(String), transactionalID(String)
    case cluster
  }

  var operation: Operation
  var resource: Resource
  /// Another right that would do as well.
  var alternative: String?

  init(_ operation: Operation, _ resource: Resource, or alternative: String? = nil) {
    self.operation = operation
    self.resource = resource
    self.alternative = alternative
  }

  /// `WRITE topic order-events`
  var description: String {
    let place =
      switch resource {
      case .topic(let name): "topic \(name)"
      case .group(let name): "group \(name)"
      case .transactionalID(let id): "transactional id \(id)"
      case .cluster: "cluster"
      }
    return "\(operation.rawValue.uppercased()) \(place)\(alternative.map { ", or \($0)" } ?? "")"
  }
}

/// What errors mean that come in the place of a record.
struct ReadErrors {
  let client: NativeClient
  let topic: String
  /// `nil` when the client's group is only a name.
  let group: String?
  let context: KafkaContext

  /// - Returns: `nil` when it passes by itself.
  func meaning(of message: ConsumedMessage, _ cursors: PartitionCursors) -> BrokerError? {
    let error = message.nativeError
    switch error.code {
    case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__RESOLVE,
      RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
      RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
      context.note(.info, "reading \(topic): \(error.text)")
      return nil
    case RD_KAFKA_RESP_ERR_UNKNOWN, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
      RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
      // A broker in trouble; librdkafka asks again.
      context.note(.warning, "reading \(topic): \(error.text)")
      return nil
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      guard let group else { return nil }
      return context.errors.denied([AccessRight(.read, .group(group))], error, "cannot join the group \(group)")
    case RD_KAFKA_RESP_ERR__FATAL:
      return context.errors.map(client.fatalError ?? error, "cannot read \(topic)", recovery: .fatal)
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      guard cursors.isAssigned(message.partition) else { return nil }
      return gone(message.partition, at: cursors.next(message.partition), error)
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART where (try? context.partitionCount(of: topic)) != nil:
      // A broker that has restarted was not told of it yet.
      return nil
    default:
      if context.errors.map(error, "").passesByItself {
        context.note(.info, "reading \(topic): \(error.text)")
        return nil
      }
      let place = message.partition >= 0 ? "\(topic)[\(message.partition)]" : topic
      let right = AccessRight(.read, .topic(topic))
      return context.errors.map(error, "cannot read \(place)", needs: right, recovery: .fatal)
    }
  }

  /// Names the range that is still there.
  private func gone(_ partition: Int32, at offset: Offset, _ error: NativeError) -> BrokerError {
    var mapped = context.errors.map(error, "cannot read \(topic)[\(partition)]@\(offset)")
    mapped.code = .offsetOutOfRange
    mapped.recovery = .fatal
    if let low = try? context.starts(topic, [partition]).first, let high = try? context.ends(topic, [partition]).first {
      mapped.why = "the partition holds offsets \(low) to \(high); the rest is gone (\(error.name))"
    }
    return mapped
  }
}
