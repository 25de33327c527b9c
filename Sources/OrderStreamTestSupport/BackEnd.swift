import OrderStreamCore

/// A row of the table that the contract suite runs over.
public struct BackEnd: Sendable, CustomStringConvertible {
  public let name: String
  private let make: @Sendable () -> any BrokerFixture

  public init(name: String, make: @escaping @Sendable () -> any BrokerFixture) {
    self.name = name
    self.make = make
  }

  public var description: String { name }

  /// Runs one test on a new, empty log, which goes when `body` returns.
  public func run(_ body: (_ fixture: any BrokerFixture, _ broker: any Broker) throws -> Void) throws {
    let fixture = make()
    try withExtendedLifetime(fixture) { try body(fixture, try fixture.open()) }
  }

  /// Every back end.
  public static let all: [BackEnd] = [BackEnd(name: "embedded") { EmbeddedFixture() }]
}
