import Foundation
import OrderStreamCore

/// The schemas of `schemas/`, and a validator for exactly the keywords of JSON Schema 2020-12 that they use.
package struct Schemas: Sendable {
  /// By the name of their file without `.json`.
  package let files: [String: DocumentValue]
  /// By `$id`.
  private let ids: [String: DocumentValue]
  private let patterns: [String: NSRegularExpression]

  package static let shared: Schemas = {
    do { return try Schemas() } catch { preconditionFailure("schemas/: \(error)") }
  }()

  /// The directory of the repository.
  package static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
    .standardized

  package static func parse(_ bytes: some Sequence<UInt8>) -> DocumentValue? {
    let buffer = ByteBuffer()
    for byte in bytes { buffer.append(byte) }
    return DocumentValue(parsing: buffer.bytes)
  }

  /// - Throws: for a schema with a keyword that the validator does not know.
  package init() throws {
    let directory = Self.root.appendingPathComponent("schemas")
    var (files, ids): ([String: DocumentValue], [String: DocumentValue]) = ([:], [:])
    var patterns: [String: NSRegularExpression] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: directory.path) where name.hasSuffix(".json") {
      guard let schema = Self.parse(try Data(contentsOf: directory.appendingPathComponent(name))) else {
        throw HarnessError("\(name) is no JSON")
      }
      guard let id = schema["$id"]?.text, id.hasSuffix("/\(name)") else {
        throw HarnessError("\(name) has another $id")
      }
      try Self.check(schema, name, &patterns)
      files[String(name.dropLast(5))] = schema
      ids[id] = schema
    }
    (self.files, self.ids, self.patterns) = (files, ids, patterns)
  }

  // MARK: - Keywords

  private static let annotations: Set<String> = ["$schema", "$id", "title", "description", "$defs"]

  /// Finds the keywords of a schema that `validate` would pass over.
  private static func check(
    _ schema: DocumentValue, _ place: String, _ patterns: inout [String: NSRegularExpression]
  ) throws {
    if case .bool = schema { return }
    guard case .object(let members) = schema else { throw HarnessError("\(place) is no schema") }
    for member in members {
      let place = "\(place)/\(member.key)"
      switch member.key {
      case "$ref", "type", "const", "enum", "required", "minItems", "maxItems", "minimum", "maximum": break
      case "pattern":
        guard let text = member.value.text else { throw HarnessError("\(place) is no text") }
        patterns[text] = try NSRegularExpression(pattern: text)
      case _ where annotations.subtracting(["$defs"]).contains(member.key): break
      case "properties", "$defs":
        for property in member.value.members { try check(property.value, "\(place)/\(property.key)", &patterns) }
      case "additionalProperties", "propertyNames", "items": try check(member.value, place, &patterns)
      case "prefixItems", "oneOf": for element in member.value.elements { try check(element, place, &patterns) }
      default: throw HarnessError("\(place): the validator does not know this keyword")
      }
    }
  }

  // MARK: - Validation

  /// The file of a document: `produce`, `analytics.2`; that of a line of `tail` for one without a schema.
  package static func file(of document: DocumentValue) -> String {
    guard let schema = document["schema"]?.text else {
      return document["partitions"] == nil ? "tail" : "tail.exact"
    }
    let name = schema.hasPrefix("orderstream.") ? String(schema.dropFirst("orderstream.".count)) : schema
    return name.hasSuffix("/1") ? String(name.dropLast(2)) : name.replacing("/", with: ".")
  }

  /// What is wrong with a document.
  /// - Parameter file: the name of its schema; `nil` for the one that the document names.
  package func problems(of document: DocumentValue, as file: String? = nil) -> [String] {
    let file = file ?? Self.file(of: document)
    guard let schema = files[file] else { return ["there is no schema \(file)"] }
    var problems: [String] = []
    validate(document, schema, base: schema["$id"]?.text ?? "", "", &problems)
    return problems
  }

  /// What is wrong with a line.
  package func problems(of line: some Sequence<UInt8>) -> [String] {
    guard let document = Self.parse(line) else { return ["it is no JSON"] }
    return problems(of: document)
  }

  /// Resolves a `$ref` of the schema with this `$id`.
  package func resolve(_ reference: String, base: String) -> (schema: DocumentValue, base: String) {
    let parts = reference.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let id = parts[0].isEmpty ? base : base.prefix(through: base.lastIndex(of: "/")!) + parts[0]
    guard var schema = ids[id] else { preconditionFailure("\(reference) leads nowhere") }
    for step in parts.count > 1 ? parts[1].split(separator: "/").map(String.init) : [] {
      guard let next = schema[step] else { preconditionFailure("\(reference) leads nowhere") }
      schema = next
    }
    return (schema, id)
  }

  private func validate(
    _ value: DocumentValue, _ schema: DocumentValue, base: String, _ path: String, _ problems: inout [String]
  ) {
    if case .bool(let allows) = schema {
      if !allows { problems.append("\(path): it may not be there") }
      return
    }
    if let reference = schema["$ref"]?.text {
      let target = resolve(reference, base: base)
      validate(value, target.schema, base: target.base, path, &problems)
    }
    if let types = schema["type"] {
      let names = types.text.map { [$0] } ?? types.elements.compactMap(\.text)
      if !names.contains(where: { Self.isOf(value, $0) }) {
        problems.append("\(path): it is not \(names.joined(separator: " or "))")
      }
    }
    if let constant = schema["const"], constant != value { problems.append("\(path): it is another constant") }
    if let choices = schema["enum"]?.elements, !choices.contains(value) {
      problems.append("\(path): it is none of the choices")
    }
    if let choices = schema["oneOf"]?.elements {
      let fits = choices.filter { choice in
        var found: [String] = []
        validate(value, choice, base: base, path, &found)
        return found.isEmpty
      }
      if fits.count != 1 { problems.append("\(path): \(fits.count) of the choices fit") }
    }
    if let number = value.number {
      if let least = schema["minimum"]?.number, number < least { problems.append("\(path): it is below \(least)") }
      if let most = schema["maximum"]?.number, number > most { problems.append("\(path): it is above \(most)") }
    }
    if let text = value.text, let pattern = schema["pattern"]?.text, !matches(text, pattern) {
      problems.append("\(path): '\(text)' is not like \(pattern)")
    }
    if case .list(let elements) = value { validate(elements, schema, base: base, path, &problems) }
    if case .object(let members) = value { validate(members, schema, base: base, path, &problems) }
  }

  private func validate(
    _ elements: [DocumentValue], _ schema: DocumentValue, base: String, _ path: String, _ problems: inout [String]
  ) {
    if let least = schema["minItems"]?.integer, elements.count < least { problems.append("\(path): too few") }
    if let most = schema["maxItems"]?.integer, elements.count > most { problems.append("\(path): too many") }
    let prefix = schema["prefixItems"]?.elements ?? []
    for (index, element) in elements.enumerated() {
      guard let each = index < prefix.count ? prefix[index] : schema["items"] else { continue }
      validate(element, each, base: base, "\(path)[\(index)]", &problems)
    }
  }

  private func validate(
    _ members: [DocumentValue.Member], _ schema: DocumentValue, base: String, _ path: String,
    _ problems: inout [String]
  ) {
    // No schema can say this, and no reader could tell which of two counts.
    if Set(members.map(\.key)).count != members.count { problems.append("\(path): a key is there twice") }
    for key in schema["required"]?.elements.compactMap(\.text) ?? [] where !members.contains(where: { $0.key == key }) {
      problems.append("\(path).\(key): it is missing")
    }
    for member in members {
      let place = "\(path).\(member.key)"
      if let names = schema["propertyNames"] { validate(.text(member.key), names, base: base, place, &problems) }
      if let property = schema["properties"]?[member.key] ?? schema["additionalProperties"] {
        validate(member.value, property, base: base, place, &problems)
      }
    }
  }

  private static func isOf(_ value: DocumentValue, _ type: String) -> Bool {
    switch (value, type) {
    case (.null, "null"), (.bool, "boolean"), (.text, "string"), (.list, "array"), (.object, "object"): true
    case (.integer, "integer"), (.unsigned, "integer"), (.integer, "number"), (.unsigned, "number"): true
    case (.decimal, "number"): true
    case (.decimal(let number), "integer"): number == number.rounded()
    default: false
    }
  }

  private func matches(_ text: String, _ pattern: String) -> Bool {
    patterns[pattern]?.firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
  }
}
