/// The claims of a document as test cases in JUnit's XML, as CI servers read it. A function of the document alone.
///
/// A claim that holds passes; one that does not is a failure; one that the run could not show is skipped. The first case
/// is whether the run met its own end; it is an error where the run was cut short, and where `error` says why there is
/// no result.
public struct TestCases {
  private enum Outcome {
    case passed
    case failure(String)
    case error(String)
    case skipped(String)
  }

  private struct Case {
    let name: String
    let outcome: Outcome
    /// Duration of the run, with the case that is about the whole of it.
    var milliseconds: Int64 = 0
  }

  private let document: Document
  private let cases: [Case]

  public init(_ document: Document) {
    self.document = document
    cases = [Self.wholeRun(document)] + document.claims.map(Self.of)
  }

  /// Whether no case failed.
  public var isGreen: Bool { failures == 0 && errors == 0 }

  private var failures: Int { cases.count { if case .failure = $0.outcome { true } else { false } } }
  private var errors: Int { cases.count { if case .error = $0.outcome { true } else { false } } }
  private var skipped: Int { cases.count { if case .skipped = $0.outcome { true } else { false } } }

  private static func wholeRun(_ document: Document) -> Case {
    let outcome: Outcome
    if let error = document["error"] {
      outcome = .error(error["message"]?.text ?? "unknown")
    } else if document["complete"]?.bool != true {
      let by = document["cut_short"]?["by"]?.text
      outcome = .error(by.map { "it was cut short by \($0)" } ?? "it was cut short")
    } else if document["executed"]?.bool == false {
      outcome = .skipped(document["plan"]?.text ?? "nothing was done")
    } else {
      outcome = .passed
    }
    return Case(name: "the run is complete", outcome: outcome, milliseconds: document["elapsed_ms"]?.integer ?? 0)
  }

  private static func of(_ claim: Claim) -> Case {
    let outcome: Outcome =
      switch claim.holds {
      case true?: .passed
      case false?: .failure(claim.detail ?? "it does not hold")
      case nil: .skipped(claim.detail ?? "the run could not show it")
      }
    return Case(name: claim.text, outcome: outcome)
  }

  // MARK: - XML

  public func append(to buffer: ByteBuffer) {
    let command = "orderstream \(document.command)"
    let seconds = Self.seconds(document["elapsed_ms"]?.integer ?? 0)
    let counts = [("tests", cases.count), ("failures", failures), ("errors", errors)].map { ($0, String($1)) }
    buffer.append("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" as StaticString)
    Self.open("testsuites", [("name", command)] + counts + [("time", seconds)], to: buffer)
    // Without a zone, as the schemas of JUnit's XML have it: UTC.
    let start = document["run"]?["started_at"]?.text.map { $0.hasSuffix("Z") ? String($0.dropLast()) : $0 }
    let time = [("time", seconds)] + (start.map { [("timestamp", $0)] } ?? [])
    Self.open("testsuite", [("name", command)] + counts + [("skipped", String(skipped))] + time, to: buffer)
    appendProperties(to: buffer)
    for testCase in cases { append(testCase, to: buffer) }
    buffer.append("</testsuite>\n</testsuites>\n" as StaticString)
  }

  private func appendProperties(to buffer: ByteBuffer) {
    let run = document["run"]
    let words = run?["command"]?.elements.compactMap(\.text) ?? []
    let properties = [
      ("command", words.map(Self.shellWord).joined(separator: " ")), ("broker", document["broker"]?.text ?? ""),
      ("version", run?["version"]?.text ?? ""),
    ]
    buffer.append("<properties>\n" as StaticString)
    for (name, value) in properties {
      Self.open("property", [("name", name), ("value", value)], isEmpty: true, to: buffer)
    }
    buffer.append("</properties>\n" as StaticString)
  }

  private func append(_ testCase: Case, to buffer: ByteBuffer) {
    let attributes = [
      ("classname", "orderstream.\(document.command)"), ("name", testCase.name),
      ("time", Self.seconds(testCase.milliseconds)),
    ]
    let (element, text): (String, String)
    switch testCase.outcome {
    case .passed: return Self.open("testcase", attributes, isEmpty: true, to: buffer)
    case .failure(let detail): (element, text) = ("failure", detail)
    case .error(let detail): (element, text) = ("error", detail)
    case .skipped(let detail): (element, text) = ("skipped", detail)
    }
    Self.open("testcase", attributes, to: buffer)
    Self.open(element, [("message", text)], isEmpty: true, to: buffer)
    buffer.append("</testcase>\n" as StaticString)
  }

  private static func open(
    _ name: String, _ attributes: [(String, String)], isEmpty: Bool = false, to buffer: ByteBuffer
  ) {
    buffer.append("<\(name)")
    for (key, value) in attributes { buffer.append(" \(key)=\"\(escaped(value))\"") }
    if isEmpty { buffer.append("/>\n" as StaticString) } else { buffer.append(">\n" as StaticString) }
  }

  /// The value of an attribute. What XML 1.0 has no place for, not even as a reference, is shown as in Swift: `\u{1b}`.
  private static func escaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      // A reader would make blanks of them.
      case "\t", "\n", "\r": escaped += "&#\(scalar.value);"
      case _ where scalar.value < 0x20 || scalar.value == 0xFFFE || scalar.value == 0xFFFF:
        escaped += "\\u{\(String(scalar.value, radix: 16))}"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  /// Milliseconds as seconds: `1.234`.
  private static func seconds(_ milliseconds: Int64) -> String { String(TextRows.seconds(milliseconds).dropLast(2)) }

  /// A word of a command line as a shell takes it.
  private static func shellWord(_ word: String) -> String {
    let isPlain =
      !word.isEmpty
      && word.unicodeScalars.allSatisfy { scalar in
        scalar.properties.isAlphabetic && scalar.isASCII || ("0"..."9").contains(scalar)
          || "@%+=:,./_-".unicodeScalars.contains(scalar)
      }
    return isPlain ? word : "'" + word.replacing("'", with: "'\\''") + "'"
  }
}
