/// What a user must be allowed to do for a request to succeed, in the words of Kafka's authorizer.
struct AccessRight: Sendable, CustomStringConvertible {
  enum Operation: String { case read, write, describe, create, alter, delete, idempotentWrite = "idempotent_write" }
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
