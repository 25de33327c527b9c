import Foundation

/// Where the workflow tests run: the embedded log always, a Kafka cluster when `ORDERSTREAM_TEST_BROKERS` names one.
package enum TestBroker: Sendable, CustomStringConvertible {
  case embedded
  case kafka(String)

  package static let all: [TestBroker] = {
    guard let servers = ProcessInfo.processInfo.environment["ORDERSTREAM_TEST_BROKERS"], !servers.isEmpty else {
      print("NOTE: ORDERSTREAM_TEST_BROKERS is not set: the workflow tests run on the embedded log only.")
      return [.embedded]
    }
    return [.embedded, .kafka(servers)]
  }()

  package var description: String {
    switch self {
    case .embedded: "embedded"
    case .kafka(let servers): servers
    }
  }
}
