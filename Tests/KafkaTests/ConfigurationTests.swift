import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamKafka

struct ConfigurationTests {
  private func refusal(_ key: String, _ value: String) -> BrokerError? {
    do {
      _ = try KafkaBroker.connect(
        brokers: "127.0.0.1:1", properties: [(key, value)], wait: .zero, log: SilentLog(), time: SystemTime())
      return nil
    } catch {
      return error
    }
  }

  @Test(
    "a property that carries a promise is refused by name",
    arguments: [
      "acks", "request.required.acks", "enable.idempotence", "isolation.level", "enable.auto.commit",
      "auto.offset.reset", "partition.assignment.strategy", "transactional.id", "group.instance.id", "group.id",
      "bootstrap.servers", "check.crcs", "partitioner", "Acks",
    ])
  func promises(key: String) {
    let error = refusal(key, "1")
    #expect(error?.code == .configuration)
    #expect(error?.what.contains(key) == true)
    #expect(error?.recovery == BrokerError.Recovery.none)
  }

  @Test(
    "a property that runs or loads code is refused",
    arguments: ["plugin.library.paths", "sasl.kerberos.kinit.cmd", "ssl.engine.location", "ssl.providers"])
  func code(key: String) {
    #expect(refusal(key, "/tmp/x")?.why == "it runs or loads code")
  }

  @Test("an unknown property is refused in librdkafka's words")
  func unknownProperty() {
    let error = refusal("foo.bar", "1")
    #expect(error?.code == .configuration)
    #expect(error?.description.contains("No such configuration property: \"foo.bar\"") == true)
  }

  @Test("an unknown value is refused in librdkafka's words, and a secret one is not repeated")
  func unknownValue() {
    #expect(refusal("compression.type", "zip")?.description.contains("Invalid value \"zip\"") == true)
    let error = refusal("enable.sasl.oauthbearer.unsecure.jwt", "hunter2-secret")
    #expect(error?.code == .configuration)
    #expect(error?.description.contains("hunter2") == false)
  }

  @Test("properties of producers and of consumers may be mixed without a word in the log")
  func mixed() throws {
    let mock = try MockBroker(properties: [("linger.ms", "3"), ("fetch.min.bytes", "1"), ("batch.size", "100000")])
    let producer = try mock.broker.producer(topic: MockBroker.topic, pace: .bulk)
    producer.close()
    let consumer = try mock.broker.consumer(ConsumerOptions(topic: MockBroker.topic, membership: .none))
    consumer.close()
    // The mock cluster speaks an old protocol, which is worth a warning of its own.
    #expect(mock.log.all.filter { $0.level >= .notice && !$0.text.contains("not supported by broker") }.isEmpty)
  }

  @Test("a property that only one kind of client has a use for is accepted, whatever the others make of it")
  func otherClients() throws {
    let mock = try MockBroker(properties: [
      ("max.poll.interval.ms", "10000"), ("message.timeout.ms", "120000"), ("message.max.bytes", "20000000"),
    ])
    let consumer = try mock.broker.consumer(ConsumerOptions(topic: MockBroker.topic, membership: .none))
    consumer.close()
    for profile in [
      ClientProfile.transactional(id: "a"), .producer(.bulk), .reader(), .reader(.uncommitted),
      .lookup(committed: true), .consumer(group: "g", instance: "i"),
    ] { _ = try mock.broker.context.factory.client(profile) }
  }

  @Test("a property that an ignoring client would not look at is checked all the same")
  func checkedAnyway() {
    #expect(refusal("session.timeout.ms", "soon")?.code == .configuration)
  }

  @Test("a state topic is compacted and nothing else")
  func compaction() {
    #expect(StateTopic.isCompacted(policy: "compact"))
    for policy in ["delete", "compact,delete", "delete, compact", ""] {
      #expect(!StateTopic.isCompacted(policy: policy))
    }
  }
}
