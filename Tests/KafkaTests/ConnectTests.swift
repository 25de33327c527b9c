import OrderStreamCore
import OrderStreamThreads
import OrderStreamTestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

@testable import OrderStreamKafka

struct ConnectTests {
  @Test("a connection that is refused everywhere is told after 2 s; whoever waits goes on waiting")
  func refused() {
    func time(_ wait: Duration?) -> Duration {
      let start = ContinuousClock.now
      #expect(throws: BrokerError.self) {
        try KafkaBroker.connect(brokers: "127.0.0.1:1,localhost:1", wait: wait, log: SilentLog(), time: SystemTime())
      }
      return ContinuousClock.now - start
    }
    #expect(time(nil) < .seconds(4))
    #expect(time(.seconds(3)) >= .seconds(3))
  }

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

/// A port that answers the first bytes of each connection with others, and closes it.
private final class FakePort: Sendable {
  let address: String
  private let listener: Int32

  init(_ answer: @escaping @Sendable ([UInt8]) -> [UInt8]?) throws {
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let port = withUnsafeMutablePointer(to: &place) { [listener] place in
      place.withMemoryRebound(to: sockaddr.self, capacity: 1) { place in
        _ = bind(listener, place, length)
        listen(listener, 16)
        getsockname(listener, place, &length)
      }
      return UInt16(bigEndian: place.pointee.sin_port)
    }
    address = "127.0.0.1:\(port)"
    _ = try BackgroundThread { [listener] in
      while true {
        let connection = accept(listener, nil, nil)
        if connection < 0 { return }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(connection, &bytes, bytes.count)
        if count > 0, let reply = answer(Array(bytes.prefix(count))) {
          _ = send(connection, reply, reply.count, Int32(MSG_NOSIGNAL))
        }
        close(connection)
      }
    }
  }

  deinit { shutdown(listener, Int32(SHUT_RDWR)) }

  /// Closes what is not TLS, and refuses with an alert what is.
  static func tls() throws -> FakePort { try FakePort { $0[0] == 0x16 ? [0x15, 3, 3, 0, 2, 2, 40] : nil } }

  /// Answers a SaslHandshake with an error and mechanisms, and closes at anything else.
  static func kafka(error: UInt8, mechanisms: [String]) throws -> FakePort {
    try FakePort { request in
      guard request.count > 12, request[4...5] == [0, 17] else { return nil }
      var body: [UInt8] = request[8..<12] + [0, error, 0, 0, 0, UInt8(mechanisms.count)]
      for name in mechanisms { body += [0, UInt8(name.utf8.count)] + Array(name.utf8) }
      return [0, 0, 0, UInt8(body.count)] + body
    }
  }
}

@Suite("A client and a port that speak different languages")
struct PortTests {
  private func refusal(_ port: FakePort, _ properties: [(String, String)] = []) -> BrokerError? {
    #expect(throws: BrokerError.self) {
      _ = try KafkaBroker.connect(
        brokers: port.address, properties: properties, wait: .seconds(20), log: SilentLog(), time: SystemTime())
    }
  }

  @Test("a plain client at a TLS port is told so at once")
  func plainAtTLS() throws {
    let start = ContinuousClock().now
    let error = refusal(try .tls())
    #expect(error?.code == .configuration && error?.why.contains("wants TLS") == true, "\(error.debugDescription)")
    #expect(error?.remedy.contains("-X security.protocol=ssl") == true)
    #expect(ContinuousClock().now - start < .seconds(10))
  }

  @Test("a client without SASL at a SASL port is told which mechanisms it takes")
  func plainAtSASL() throws {
    let port = try FakePort.kafka(error: 33, mechanisms: ["SCRAM-SHA-256", "PLAIN"])
    #expect(PortProbe.language(of: port.address) == .sasl(mechanisms: ["SCRAM-SHA-256", "PLAIN"]))
    let error = refusal(port)
    #expect(error?.code == .configuration && error?.why.contains("(SCRAM-SHA-256, PLAIN)") == true)
    #expect(error?.remedy.contains("sasl.mechanisms=SCRAM-SHA-256") == true)
    #expect(refusal(port, [("security.protocol", "ssl")])?.remedy.contains("security.protocol=sasl_plaintext") == true)
  }

  @Test("a TLS client at a plain port is told so")
  func tlsAtPlain() throws {
    let error = refusal(try .kafka(error: 34, mechanisms: []), [("security.protocol", "ssl")])
    #expect(error?.code == .configuration && error?.remedy.contains("security.protocol=plaintext") == true)
  }

  @Test("of a port that says nothing nothing is said")
  func silent() throws {
    #expect(PortProbe.language(of: try FakePort { _ in nil }.address) == nil)
    #expect(PortProbe.language(of: "127.0.0.1:1") == nil)
  }
}
