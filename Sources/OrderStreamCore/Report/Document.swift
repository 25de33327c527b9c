internal import CSimdJSON

/// A JSON value as a document holds it: members keep their order, whole numbers their digits.
public enum DocumentValue: Sendable, Hashable {
  case null
  case bool(Bool)
  case integer(Int64)
  /// Above the largest `Int64`.
  case unsigned(UInt64)
  case decimal(Double)
  case text(String)
  case list([DocumentValue])
  case object([Member])

  public struct Member: Sendable, Hashable {
    public var key: String
    public var value: DocumentValue

    public init(_ key: String, _ value: DocumentValue) {
      self.key = key
      self.value = value
    }
  }

  /// Reads one JSON text.
  /// - Parameter bytes: `ByteBuffer.tailPadding` readable bytes follow them, as in a `ByteBuffer`.
  /// - Returns: `nil` when it is none, or has a number that no 64 bits hold.
  public init?(parsing bytes: UnsafeRawBufferPointer) {
    guard let value = OrderParser().value(of: bytes) else { return nil }
    self = value
  }

  /// The value of a member of an object; `nil` where there is none.
  public subscript(_ key: String) -> DocumentValue? { members.first { $0.key == key }?.value }

  /// The members of an object; none of another value.
  public var members: [Member] { if case .object(let members) = self { members } else { [] } }

  /// The elements of a list; none of another value.
  public var elements: [DocumentValue] { if case .list(let elements) = self { elements } else { [] } }

  public var text: String? { if case .text(let text) = self { text } else { nil } }

  public var bool: Bool? { if case .bool(let bool) = self { bool } else { nil } }

  public var integer: Int64? { if case .integer(let integer) = self { integer } else { nil } }

  /// A number of any kind.
  public var number: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .unsigned(let value): Double(value)
    case .decimal(let value): value
    default: nil
    }
  }

  /// A number as people write it: `5.12`, `1500`; `nil` for other values.
  public var numberText: String? {
    switch self {
    case .integer(let value): String(value)
    case .unsigned(let value): String(value)
    case .decimal(let value): String(describing: value)
    default: nil
    }
  }

  /// The value below a path of keys with dots between them: `latency_ms.p99`. An element of a list is named by its
  /// `group`, `name`, `topic` or `partition`, or by its index: `groups.analytics.lag`. Keys and names may have dots.
  /// - Returns: `nil` when there is no such place.
  public subscript(path path: String) -> DocumentValue? {
    value(below: path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)[...])
  }

  private static let names = ["group", "name", "topic", "partition"]

  private func value(below path: ArraySlice<String>) -> DocumentValue? {
    if path.isEmpty { return self }
    // The longest name first: one with dots is more than one word of the path.
    for end in stride(from: path.endIndex, to: path.startIndex, by: -1) {
      let name = path[..<end].joined(separator: ".")
      if let found = child(name)?.value(below: path[end...]) { return found }
    }
    return nil
  }

  private func child(_ name: String) -> DocumentValue? {
    switch self {
    case .object: return self[name]
    case .list(let elements):
      for key in Self.names {
        if let found = elements.first(where: { $0[key]?.text == name || $0[key]?.numberText == name }) { return found }
      }
      guard let index = Int(name), elements.indices.contains(index) else { return nil }
      return elements[index]
    default: return nil
    }
  }
}

/// The JSON document of a run. What leaves a run in another form (a page, a table, a verdict) is a function of it alone.
public struct Document: Sendable, Equatable {
  public private(set) var root: DocumentValue
  /// The command, as in `orderstream.<command>/1`.
  public let command: String
  /// The version of the schema, the number in `orderstream.<command>/1`.
  public let schemaVersion: Int

  private static let prefix = "orderstream."

  /// - Parameter bytes: `ByteBuffer.tailPadding` readable bytes follow them.
  /// - Returns: `nil` when they are no document of this program.
  public init?(parsing bytes: UnsafeRawBufferPointer) {
    guard let root = DocumentValue(parsing: bytes) else { return nil }
    self.init(root)
  }

  /// - Returns: `nil` for a value that is no document of this program.
  public init?(_ root: DocumentValue) {
    guard let schema = root["schema"]?.text, schema.hasPrefix(Self.prefix),
      let slash = schema.lastIndex(of: "/"), let version = Int(schema[schema.index(after: slash)...])
    else { return nil }
    self.root = root
    command = String(schema[..<slash].dropFirst(Self.prefix.count))
    schemaVersion = version
  }

  /// A document of what is known of a run, behind its `schema`.
  public init(command: String, schemaVersion: Int, members: [DocumentValue.Member]) {
    let schema = DocumentValue.Member("schema", .text("\(Self.prefix)\(command)/\(schemaVersion)"))
    root = .object([schema] + members)
    self.command = command
    self.schemaVersion = schemaVersion
  }

  /// The newest schema of a command's documents; 0 for a command that has none.
  public static func newestVersion(of command: String) -> Int {
    switch command {
    case "analytics": LiveMetricsReport.schemaVersion
    case "produce", "inventory", "replay", "lag-demo", "status", "audit", "delete", "backup": 1
    default: 0
    }
  }

  public subscript(_ key: String) -> DocumentValue? { root[key] }

  /// This document with one more member at its end.
  public func adding(_ key: String, _ value: DocumentValue) -> Document {
    var copy = self
    copy.root = .object(root.members + [.init(key, value)])
    return copy
  }

  /// What the run claims, and whether it holds.
  public var claims: [Claim] {
    (self["claims"]?.elements ?? []).compactMap { claim in
      claim["claim"]?.text.map { Claim($0, holds: claim["holds"]?.bool, detail: claim["detail"]?.text) }
    }
  }
}

/// Something that a run shows to be true or false.
public struct Claim: Sendable, Equatable {
  /// A sentence: `every event was acknowledged`.
  public var text: String
  /// `nil` where the run could not show it.
  public var holds: Bool?
  /// What was found, where it does not hold or is not shown.
  public var detail: String?

  public init(_ text: String, holds: Bool?, detail: String? = nil) {
    self.text = text
    self.holds = holds
    self.detail = detail
  }

  /// That there is nothing of a kind: it holds at 0.
  /// - Parameter isWhole: Whether all was looked at; otherwise 0 shows nothing.
  init(none text: String, count: Int64, noun: String, isWhole: Bool) {
    self.init(text, holds: count == 0 ? (isWhole ? true : nil) : false, detail: count == 0 ? nil : "\(count) \(noun)")
  }
}

extension OrderParser {
  /// - Parameter bytes: followed by `ByteBuffer.tailPadding` readable bytes.
  fileprivate func value(of bytes: UnsafeRawBufferPointer) -> DocumentValue? {
    let builder = DocumentBuilder()
    let isValid = walk(
      bytes,
      { context, token in
        guard let context, let token else { return }
        Unmanaged<DocumentBuilder>.fromOpaque(context).takeUnretainedValue().take(token.pointee)
      }, Unmanaged.passUnretained(builder).toOpaque())
    return isValid ? builder.root : nil
  }
}

/// Puts the tokens of a JSON text together.
private final class DocumentBuilder {
  /// A list or an object that has begun.
  private struct Container {
    var elements: [DocumentValue] = []
    var members: [DocumentValue.Member] = []
    /// Of the next member; `nil` in a list.
    var key: String?
  }

  private(set) var root: DocumentValue?
  private var open: [Container] = []

  func take(_ token: csimdjson_token) {
    switch token.kind {
    case CSIMDJSON_BEGIN_ARRAY, CSIMDJSON_BEGIN_OBJECT: open.append(Container())
    case CSIMDJSON_END_ARRAY: add(.list(open.removeLast().elements))
    case CSIMDJSON_END_OBJECT: add(.object(open.removeLast().members))
    case CSIMDJSON_KEY: open[open.count - 1].key = text(token)
    case CSIMDJSON_INTEGER: add(.integer(token.integer))
    case CSIMDJSON_UNSIGNED: add(.unsigned(token.unsigned_integer))
    case CSIMDJSON_DECIMAL: add(.decimal(token.decimal))
    case CSIMDJSON_TEXT: add(.text(text(token)))
    case CSIMDJSON_TRUE, CSIMDJSON_FALSE: add(.bool(token.kind == CSIMDJSON_TRUE))
    default: add(.null)
    }
  }

  private func text(_ token: csimdjson_token) -> String {
    String(decoding: UnsafeRawBufferPointer(token.text), as: UTF8.self)
  }

  /// In place, so that a container is not copied while it grows.
  private func add(_ value: DocumentValue) {
    guard let last = open.indices.last else {
      root = value
      return
    }
    if let key = open[last].key {
      open[last].members.append(.init(key, value))
    } else {
      open[last].elements.append(value)
    }
  }
}
