import Foundation

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// Metrics in Prometheus' text format, read strictly: an oracle that shares nothing with the product's writer.
package struct Metrics {
  package struct Sample {
    package let name: String
    package let labels: [String: String]
    package let value: Double
  }

  package private(set) var samples: [Sample] = []
  package private(set) var types: [String: String] = [:]

  /// - Throws: for what a collector would refuse: a family in two pieces, or without HELP and TYPE; a series that is there
  ///   twice; a name, an escape or a number that is none; a last line without its end.
  package init(_ text: String) throws {
    guard text.isEmpty || text.hasSuffix("\n") else { throw HarnessError("the last line has no end") }
    var (help, series) = (Set<String>(), Set<String>())
    var family = ""
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init) {
      if line.hasPrefix("#") {
        let words = line.split(separator: " ", maxSplits: 3).map(String.init)
        guard words.count == 4, words[0] == "#" else { throw HarnessError("no comment of a metric: \(line)") }
        switch words[1] {
        case "HELP":
          guard help.insert(words[2]).inserted else { throw HarnessError("\(words[2]) is there twice") }
          family = words[2]
          _ = try Self.unescaped(Substring(words[3]), quotes: false)
        case "TYPE":
          guard words[2] == family, types.updateValue(words[3], forKey: family) == nil,
            ["gauge", "untyped"].contains(words[3])
          else { throw HarnessError("TYPE is not behind HELP: \(line)") }
        default: throw HarnessError("neither HELP nor TYPE: \(line)")
        }
        continue
      }
      let sample = try Self.sample(line)
      guard sample.name == family, types[family] != nil else { throw HarnessError("not in its family: \(line)") }
      let key = sample.name + sample.labels.sorted { $0.key < $1.key }.map { "\n\($0.key)=\($0.value)" }.joined()
      guard series.insert(key).inserted else { throw HarnessError("there twice: \(line)") }
      samples.append(sample)
    }
  }

  /// The value of the one series with these labels among others; `nil` where there is none, or more than one.
  package subscript(_ name: String, _ labels: [String: String] = [:]) -> Double? {
    let found = samples.filter { sample in
      sample.name == name && labels.allSatisfy { sample.labels[$0.key] == $0.value }
    }
    return found.count == 1 ? found[0].value : nil
  }

  private static func sample(_ line: String) throws -> Sample {
    var rest = line[...]
    let name = String(rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") })
    rest = rest.dropFirst(name.count)
    guard let first = name.first, !first.isNumber else { throw HarnessError("no name: \(line)") }
    var labels: [String: String] = [:]
    if rest.first == "{" {
      repeat {
        rest = rest.dropFirst()
        let label = String(rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") })
        rest = rest.dropFirst(label.count)
        guard !label.isEmpty, rest.hasPrefix("=\"") else { throw HarnessError("no label: \(line)") }
        rest = rest.dropFirst(2)
        var (length, isEscape) = (0, false)
        for character in rest {
          if character == "\"" && !isEscape { break }
          isEscape = character == "\\" && !isEscape
          length += 1
        }
        let value = try unescaped(rest.prefix(length), quotes: true)
        guard labels.updateValue(value, forKey: label) == nil else { throw HarnessError("a label twice: \(line)") }
        rest = rest.dropFirst(length + 1)
      } while rest.first == ","
      guard rest.first == "}" else { throw HarnessError("the labels have no end: \(line)") }
      rest = rest.dropFirst()
    }
    guard rest.first == " ", !rest.dropFirst().contains(" "), let value = Double(rest.dropFirst()) else {
      throw HarnessError("no value, or a time: \(line)")
    }
    return Sample(name: name, labels: labels, value: value)
  }

  private static func unescaped(_ text: Substring, quotes: Bool) throws -> String {
    var (value, isEscape) = ("", false)
    for character in text {
      switch (character, isEscape) {
      case ("\\", false):
        isEscape = true
        continue
      case ("\\", true): value += "\\"
      case ("n", true): value += "\n"
      case ("\"", true) where quotes: value += "\""
      case (_, true): throw HarnessError("no escape: \(text)")
      case ("\"", false) where quotes: throw HarnessError("a quote in quotes: \(text)")
      default: value.append(character)
      }
      isEscape = false
    }
    return value
  }
}

/// Comma-separated values as RFC 4180 has them, with lines that end with LF.
package enum Table {
  package static func rows(_ text: String) throws -> [[String]] {
    var (rows, row, cell): ([[String]], [String], String) = ([], [], "")
    var isQuoted = false
    var wasQuoted = false
    var characters = Array(text.unicodeScalars)[...]
    while let character = characters.popFirst() {
      switch character {
      case "\"" where isQuoted && characters.first == "\"":
        cell += "\""
        characters.removeFirst()
      case "\"" where isQuoted: (isQuoted, wasQuoted) = (false, true)
      case _ where isQuoted: cell.unicodeScalars.append(character)
      case "\"" where cell.isEmpty && !wasQuoted: isQuoted = true
      case ",", "\n":
        row.append(cell)
        (cell, wasQuoted) = ("", false)
        if character == "\n" {
          rows.append(row)
          row = []
        }
      case _ where wasQuoted, "\"", "\r": throw HarnessError("a quote in the middle of a cell")
      default: cell.unicodeScalars.append(character)
      }
    }
    guard !isQuoted, row.isEmpty, cell.isEmpty else { throw HarnessError("the last line has no end") }
    guard Set(rows.map(\.count)).count <= 1 else { throw HarnessError("the rows have different lengths") }
    return rows
  }
}

/// Test cases in JUnit's XML, read by Foundation.
package final class JUnitCases: NSObject, XMLParserDelegate {
  package struct Case {
    package let name: String
    package let attributes: [String: String]
    /// `passed`, `failure`, `error` or `skipped`.
    package var outcome = "passed"
    package var message: String?
  }

  package private(set) var cases: [Case] = []
  package private(set) var suite: [String: String] = [:]
  package private(set) var properties: [String: String] = [:]
  private var path: [String] = []
  private var surprise: String?

  package init(_ text: String) throws {
    super.init()
    let parser = XMLParser(data: Data(text.utf8))
    parser.delegate = self
    guard parser.parse(), surprise == nil else {
      throw HarnessError("\(surprise ?? parser.parserError.map { "\($0)" } ?? "no XML"):\n\(text)")
    }
    for outcome in ["failure", "error", "skipped"] {
      let attribute = outcome == "skipped" ? outcome : outcome + "s"
      guard suite[attribute] == String(cases.count { $0.outcome == outcome }) else {
        throw HarnessError("\(attribute) is not their number:\n\(text)")
      }
    }
    guard suite["tests"] == String(cases.count) else { throw HarnessError("tests is not their number:\n\(text)") }
  }

  /// The outcomes by name.
  package var outcomes: [String: String] {
    Dictionary(cases.map { ($0.name, $0.outcome) }, uniquingKeysWith: { "\($0), \($1)" })
  }

  package var isGreen: Bool { cases.allSatisfy { ["passed", "skipped"].contains($0.outcome) } }

  package func parser(
    _ parser: XMLParser, didStartElement element: String, namespaceURI: String?, qualifiedName: String?,
    attributes: [String: String] = [:]
  ) {
    path.append(element)
    switch path.joined(separator: "/") {
    case "testsuites", "testsuites/testsuite/properties": break
    case "testsuites/testsuite": suite = attributes
    case "testsuites/testsuite/properties/property": properties[attributes["name"] ?? ""] = attributes["value"]
    case "testsuites/testsuite/testcase": cases.append(Case(name: attributes["name"] ?? "", attributes: attributes))
    case "testsuites/testsuite/testcase/\(element)" where ["failure", "error", "skipped"].contains(element):
      cases[cases.count - 1].outcome = element
      cases[cases.count - 1].message = attributes["message"]
    default: surprise = "\(path.joined(separator: "/")) has no place"
    }
  }

  package func parser(
    _ parser: XMLParser, didEndElement element: String, namespaceURI: String?, qualifiedName: String?
  ) { path.removeLast() }
}
