import Foundation
import OrderStreamTestSupport
import Testing

@testable import OrderStreamCore

/// The tables of `docs/documents.md` are made of the descriptions in `schemas/`, so that neither has a key which the other
/// lacks. `ORDERSTREAM_WRITE_DOCS=1 swift test --filter DocumentPageTests` writes them anew.
@Suite("The page of documents")
struct DocumentPageTests {
  private static let page = Schemas.root.appendingPathComponent("docs/documents.md")
  /// Keys that all documents have, in a table of their own.
  private static let frame = [
    "schema", "broker", "complete", "elapsed_ms", "active_ms", "cut_short", "failed_conditions", "claims", "run",
  ]

  @Test("its tables are those of the schemas")
  func tables() throws {
    let text = try String(contentsOf: Self.page, encoding: .utf8)
    let made = try Self.replacingTables(in: text)
    if ProcessInfo.processInfo.environment["ORDERSTREAM_WRITE_DOCS"] != nil {
      return try made.write(to: Self.page, atomically: true, encoding: .utf8)
    }
    let lines = { (text: String) in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) }
    for (found, expected) in zip(lines(text), lines(made)) where found != expected {
      Issue.record(
        "\(found)\nshould be\n\(expected)\nwrite it with ORDERSTREAM_WRITE_DOCS=1 swift test --filter DocumentPageTests"
      )
      return
    }
    #expect(text == made)
  }

  @Test("every schema has its table, and the text names only keys that are there")
  func names() throws {
    let text = try String(contentsOf: Self.page, encoding: .utf8)
    for file in Schemas.shared.files.keys where file != "common" {
      #expect(text.contains("<!-- schemas/\(file).json "), "\(file)")
    }
    var keys = Set<String>()
    for schema in Schemas.shared.files.values { Self.collectKeys(schema, into: &keys) }
    for match in text.matches(of: /`([a-z0-9]+(?:_[a-z0-9]+)+)`/) {
      #expect(keys.contains(String(match.1)), "\(match.1) is no key of a document")
    }
  }

  private static func collectKeys(_ schema: DocumentValue, into keys: inout Set<String>) {
    for member in schema.members {
      if member.key == "properties" { keys.formUnion(member.value.members.map(\.key)) }
      if member.key == "enum" { keys.formUnion(member.value.elements.compactMap(\.text)) }
      collectKeys(member.value, into: &keys)
    }
    for element in schema.elements { collectKeys(element, into: &keys) }
  }

  // MARK: - Tables

  /// What stands between `<!-- schemas/produce.json -->` and `<!-- end -->`, for each such pair.
  private static func replacingTables(in text: String) throws -> String {
    var result = ""
    var isSkipping = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line == "<!-- end -->" { isSkipping = false }
      if !isSkipping { result += line + "\n" }
      guard line.hasPrefix("<!-- schemas/"), line.hasSuffix(" -->") else { continue }
      isSkipping = true
      result += try table(String(line.dropFirst("<!-- schemas/".count).dropLast(" -->".count)))
    }
    return String(result.dropLast())
  }

  /// - Parameter name: `produce.json`; `common.json frame` or `common.json latency` for a part of it; `analytics.2.json
  ///   beside analytics.json` for what the other one does not have.
  private static func table(_ name: String) throws -> String {
    let words = name.split(separator: " ").map(String.init)
    let schema = try schema(words[0])
    let members = schema["properties"]?.members.filter { !frame.contains($0.key) } ?? []
    var table = Table(base: try #require(schema["$id"]?.text))
    switch (words.count, words.last ?? "") {
    case (1, _): table.append(members, of: schema, path: "")
    case (3, let other):
      let same = Set(try self.schema(other)["required"]?.elements.compactMap(\.text) ?? [])
      let required = Set(schema["required"]?.elements.compactMap(\.text) ?? [])
      table.append(members.filter { !same.contains($0.key) || !required.contains($0.key) }, of: schema, path: "")
    case (_, "frame"):
      let produce = try self.schema("produce.json")
      let members = produce["properties"]?.members.filter { frame.contains($0.key) } ?? []
      table.append(members, of: produce, path: "")
      table.rows = table.rows.replacing("orderstream.produce/1", with: "orderstream.<command>/1")
    case (_, let part):
      let part = try #require(schema["$defs"]?[part])
      table.append(part["properties"]?.members ?? [], of: part, path: "")
    }
    return "\n| key | type | meaning |\n|---|---|---|\n\(table.rows)\n"
  }

  private static func schema(_ file: String) throws -> DocumentValue {
    try #require(Schemas.shared.files[String(file.dropLast(".json".count))])
  }

  private struct Table {
    let base: String
    var rows = ""
    /// Objects with a table of their own, by the fragment of their reference.
    private static let links = ["latency": "[latencies](#latencies)", "totals": "[totals](#analytics)"]

    init(base: String) { self.base = base }

    mutating func append(
      _ members: [DocumentValue.Member], of owner: DocumentValue, path: String, base: String? = nil
    ) {
      let base = base ?? self.base
      let required = owner["required"]?.elements.compactMap(\.text) ?? members.map(\.key)
      for member in members {
        append(
          member.value, path: path + member.key, base: base,
          isOptional: owner["properties"] != nil && !required.contains(member.key))
      }
    }

    private mutating func append(
      _ schema: DocumentValue, path: String, base: String, isOptional: Bool, prefix: String = ""
    ) {
      var (schema, base) = (schema, base)
      var link: String?
      var meaning = schema["description"]?.text
      while let reference = schema["$ref"]?.text {
        link = link ?? Self.links[String(reference.split(separator: "/").last ?? "")]
        (schema, base) = Schemas.shared.resolve(reference, base: base)
        meaning = meaning ?? schema["description"]?.text
      }
      // A choice of nothing and one or two objects.
      let choices = (schema["oneOf"]?.elements ?? []).filter { $0["type"]?.text != "null" }
      if let reference = choices.first?["$ref"]?.text {
        link = Self.links[String(reference.split(separator: "/").last ?? "")]
      }
      var type = link ?? Self.type(choices.isEmpty ? schema : choices[0])
      if !choices.isEmpty { type += " or null" }
      if isOptional { type += ", not always" }
      let text = prefix + (meaning ?? "")
      rows += "| `\(path)` | \(type) | \(text.replacing("|", with: "\\|")) |\n"
      if link != nil { return }
      for choice in choices {
        let words = choice["description"]?.text.map { "\($0): " } ?? ""
        for property in choice["properties"]?.members ?? [] {
          append(property.value, path: "\(path).\(property.key)", base: base, isOptional: false, prefix: words)
        }
      }
      append(schema["properties"]?.members ?? [], of: schema, path: "\(path).", base: base)
      if let items = schema["items"] {
        append(items["properties"]?.members ?? [], of: items, path: "\(path)[].", base: base)
      }
    }

    private static func type(_ schema: DocumentValue) -> String {
      if let constant = schema["const"] { return constant.text.map { "`\"\($0)\"`" } ?? "`\(constant.bool == true)`" }
      if let choices = schema["enum"]?.elements {
        return choices.map { $0.text.map { "`\"\($0)\"`" } ?? "null" }.joined(separator: ", ")
      }
      guard let types = schema["type"] else { return "any" }
      let words = ["string": "text", "boolean": "true or false", "array": "list"]
      return (types.text.map { [$0] } ?? types.elements.compactMap(\.text)).map { words[$0] ?? $0 }.joined(
        separator: " or ")
    }
  }
}
