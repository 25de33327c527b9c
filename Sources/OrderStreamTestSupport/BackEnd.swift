import Foundation
import OrderStreamCore

/// A row of the table that the contract suite runs over.
public struct BackEnd: Sendable, CustomStringConvertible {
  public let name: String
  private let differences: Set<Difference>
  private let make: @Sendable () -> any BrokerFixture

  public init(
    name: String, differences: Set<Difference> = [], make: @escaping @Sendable () -> any BrokerFixture
  ) {
    self.name = name
    self.differences = differences
    self.make = make
  }

  public func differs(by difference: Difference) -> Bool { differences.contains(difference) }

  /// How long it may take until the partitions of a dead member have another one.
  public var takeoverLimit: Duration { differs(by: .sessions) ? .seconds(12) : .seconds(5) }

  public var description: String { name }

  /// Runs one test on a new, empty log, which goes when `body` returns.
  public func run(_ body: (_ fixture: any BrokerFixture, _ broker: any Broker) throws -> Void) throws {
    let fixture = make()
    try withExtendedLifetime(fixture) { try body(fixture, try fixture.open()) }
  }

  /// Every back end; a Kafka cluster only when `ORDERSTREAM_TEST_BROKERS` names one, which is said aloud.
  public static let all: [BackEnd] = [BackEnd(name: "embedded") { EmbeddedFixture() }] + kafka

  private static var kafka: [BackEnd] {
    guard let brokers = ProcessInfo.processInfo.environment["ORDERSTREAM_TEST_BROKERS"], !brokers.isEmpty else {
      print("ORDERSTREAM_TEST_BROKERS is not set: the contract suite runs on the embedded log only")
      return []
    }
    print("ORDERSTREAM_TEST_BROKERS: the contract suite runs on \(brokers) too")
    let differences: Set<Difference> = [.controlRecords, .fetches, .sessions, .eagerFirstMember, .noTimeZero]
    return [BackEnd(name: "kafka", differences: differences) { KafkaFixture(brokers: brokers) }]
  }
}
