import CRdKafka
import OrderStreamCore
import Testing

@testable import OrderStreamKafka

struct KafkaErrorsTests {
  private let errors = KafkaErrors(
    redactor: Redactor(properties: [("sasl.password", "hunter2")]), brokers: "localhost:9092")

  @Test(
    "native codes become the project's codes",
    arguments: [
      (RD_KAFKA_RESP_ERR__TRANSPORT, BrokerError.Code.unreachable),
      (RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, .unreachable),
      (RD_KAFKA_RESP_ERR__RESOLVE, .unreachable),
      (RD_KAFKA_RESP_ERR__TIMED_OUT, .timedOut),
      (RD_KAFKA_RESP_ERR_NOT_COORDINATOR, .timedOut),
      (RD_KAFKA_RESP_ERR__AUTHENTICATION, .authentication),
      (RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, .unauthorized),
      (RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, .unknownTopic),
      (RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, .topicExists),
      (RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, .invalidTopic),
      (RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP, .groupActive),
      (RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, .fenced),
      (RD_KAFKA_RESP_ERR__FENCED, .fenced),
      (RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, .offsetOutOfRange),
      (RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, .recordTooLarge), (RD_KAFKA_RESP_ERR_INVALID_RECORD, .recordRefused),
      (RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, .deliveryFailed),
      (RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, .busy),
      (RD_KAFKA_RESP_ERR__BAD_MSG, .damaged),
      (RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, .configuration),
      (RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, .unsupported),
      (RD_KAFKA_RESP_ERR_UNKNOWN, .internalError),
    ])
  func codes(native: rd_kafka_resp_err_t, code: BrokerError.Code) {
    #expect(errors.map(NativeError(native), "cannot do it").code == code)
  }

  @Test("a refusal names the operation and the resource that lack the right")
  func refusals() {
    let topic = errors.map(
      NativeError(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED), "cannot append to out",
      needs: AccessRight(.write, .topic("out")), recovery: .abort)
    #expect(
      topic.description.hasPrefix(
        "cannot append to out: no right to WRITE topic out (TOPIC_AUTHORIZATION_FAILED); have it granted"))
    let group = errors.denied(
      [AccessRight(.read, .group("g")), AccessRight(.describe, .cluster)],
      NativeError(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED), "cannot join")
    #expect(group.why.hasPrefix("no right to READ group g, or DESCRIBE cluster") && group.isFatal)
    let other = errors.map(NativeError(RD_KAFKA_RESP_ERR__TIMED_OUT), "x", needs: AccessRight(.write, .topic("out")))
    #expect(other.code == .timedOut && !other.why.contains("right"))
  }

  @Test("every native error names itself and says why")
  func everyNativeError() {
    var descriptions: UnsafePointer<rd_kafka_err_desc>?
    var count = 0
    rd_kafka_get_err_descs(&descriptions, &count)
    var seen = 0
    for index in 0..<count {
      guard let descriptions, descriptions[index].name != nil else { continue }
      let native = NativeError(descriptions[index].code)
      let mapped = errors.map(native, "cannot do it")
      #expect(mapped.why.hasSuffix("(\(native.name))"))
      #expect(!mapped.why.contains("\n"))
      seen += 1
    }
    #expect(seen > 100)
  }

  @Test("the class of a transaction's error decides what the caller may do")
  func classes() {
    var native = NativeError(RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION)
    native.requiresAbort = true
    #expect(errors.map(native, "cannot commit").recovery == .abort)
    native.requiresAbort = false
    native.isRetriable = true
    #expect(errors.map(native, "cannot commit").recovery == .retry)
    native.isFatal = true
    #expect(errors.map(native, "cannot commit").recovery == .fatal)
    #expect(errors.map(native, "cannot commit", recovery: .abort).recovery == .abort)
  }

  @Test("an unreachable broker is named")
  func unreachable() {
    #expect(errors.map(NativeError(RD_KAFKA_RESP_ERR__TRANSPORT), "cannot read").remedy.contains("localhost:9092"))
  }

  @Test(
    "what librdkafka says of its own state is left out",
    arguments: [
      (
        "k:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT, "
          + "1 identical error(s) suppressed)", "k:1: Connect to ipv4#127.0.0.1:1 failed: Connection refused"
      ),
      ("k:1/2: Disconnected (after 12345ms in state UP)", "k:1/2: Disconnected"),
      ("k:1: Disconnected while (after all) requesting", "k:1: Disconnected while (after all) requesting"),
      ("k:1: x (after 1ms in state", "k:1: x (after 1ms in state"), ("", ""),
    ])
  func plainWords(_ text: String, _ plain: String) {
    #expect(KafkaErrors.plain(text) == plain)
  }

  @Test("a secret in librdkafka's words does not come through")
  func secrets() {
    let native = NativeError(RD_KAFKA_RESP_ERR__AUTHENTICATION, text: "user bob, password hunter2 refused")
    #expect(!errors.map(native, "cannot use hunter2").description.contains("hunter2"))
  }

  @Test("a broker that closes the connection during the login has refused it")
  func closedDuringLogin() {
    let native = NativeError(RD_KAFKA_RESP_ERR__TRANSPORT, text: "b:9092: SASL authentication error: closed")
    #expect(errors.map(native, "cannot reach it").code == .authentication)
  }
}
