import Foundation

/// A JSON value as Foundation reads it: an oracle that shares nothing with the product's own writer.
package enum JSON: Decodable, Hashable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([String: JSON])

  package init(parsing bytes: [UInt8]) throws { self = try JSONDecoder().decode(JSON.self, from: Data(bytes)) }

  package init(_ text: String) throws { try self.init(parsing: Array(text.utf8)) }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode([JSON].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSON].self))
    }
  }

  package subscript(_ key: String) -> JSON {
    if case .object(let members) = self { members[key] ?? .null } else { .null }
  }

  package subscript(_ index: Int) -> JSON {
    if case .array(let elements) = self, elements.indices.contains(index) { elements[index] } else { .null }
  }

  /// A whole number; `nil` for anything else.
  package var int: Int? { if case .number(let value) = self { Int(exactly: value) } else { nil } }
  package var double: Double? { if case .number(let value) = self { value } else { nil } }
  package var string: String? { if case .string(let value) = self { value } else { nil } }
  package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  /// The elements; none when it is no array.
  package var elements: [JSON] { if case .array(let value) = self { value } else { [] } }
  /// The members; none when it is no object.
  package var members: [String: JSON] { if case .object(let value) = self { value } else { [:] } }
  /// The sum of an object's numbers.
  package var sum: Int { members.values.compactMap(\.int).reduce(0, +) }
}
