import OrderStreamCore
import OrderStreamThreads
import OrderStreamTestSupport
import Testing

@testable import OrderStreamKafka

struct ConnectTests {
  @Test("an unreachable broker is named, within the time that was given")
  func unreachable() {
    let start = ContinuousClock().now
    let error = #expect(throws: BrokerError.self) {
      _ = try KafkaBroker.connect(brokers: "127.0.0.1:1", wait: .seconds(1), log: SilentLog(), time: SystemTime())
    }
    #expect(ContinuousClock().now - start < .seconds(4))
    #expect(error?.code == .unreachable)
    #expect(error?.what == "cannot reach a broker at 127.0.0.1:1")
    #expect(error?.why.contains("refused") == true)
  }

  @Test("a broker that comes while it is waited for is reached")
  func waits() throws {
    let cluster = MockCluster()
    cluster.setDown()
    let up = try BackgroundThread {
      SystemTime().sleep(.milliseconds(700))
      cluster.setUp()
    }
    let broker = try KafkaBroker.connect(
      brokers: cluster.bootstrapServers, wait: .seconds(20), log: SilentLog(), time: SystemTime())
    #expect(broker.name == cluster.bootstrapServers)
    #expect(up.join(.seconds(5)) != nil)
  }

  @Test("what librdkafka says arrives once, on one line, and without secrets")
  func logLines() {
    let log = LogCollector()
    #expect(throws: BrokerError.self) {
      _ = try KafkaBroker.connect(
        brokers: "127.0.0.1:1",
        properties: [("debug", "conf,security"), ("sasl.password", "hunter2")],
        wait: .milliseconds(300), log: log, time: SystemTime())
    }
    let lines = log.all.map(\.text)
    #expect(lines.contains { $0.contains("sasl.password = [redacted]") })
    #expect(lines.allSatisfy { !$0.contains("hunter2") && !$0.contains("\n") })
    #expect(lines.filter { $0.contains("client.id = orderstream") }.count == 1)
  }
}
