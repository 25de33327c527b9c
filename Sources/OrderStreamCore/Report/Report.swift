/// The result of a command: a value that prints as text and as a JSON document, and knows nothing of where they go.
public protocol Report {
  /// The command's name, as in `orderstream.<command>/1`.
  var command: StaticString { get }

  /// The version of the document's schema, the number in `orderstream.<command>/1`.
  var schemaVersion: Int { get }

  /// Whether the run met its own stop condition: `complete` in the document, and the last line of the text if not.
  var completion: Completion { get }

  /// What it means for the claim of the command that it was cut short; ends the last line of the text.
  var consequence: String? { get }

  /// Appends the text for people, whole lines, up to what `completion` adds.
  func appendBody(to text: ByteBuffer)

  /// Appends the members of the JSON document that are the command's own; the object is open.
  func appendMembers(to json: inout JSONWriter)
}

extension Report {
  public var schemaVersion: Int { 1 }

  public var consequence: String? { nil }

  /// Appends the text for people: the body, and after a run that was cut short the line that says so.
  public func appendText(to text: ByteBuffer) {
    appendBody(to: text)
    guard let cut = completion.cutShort else { return }
    TextRows.append("Result", cut.text + (consequence.map { ": \($0)" } ?? ""), to: text)
  }
}

/// The frame that all JSON documents share.
public struct ReportFrame: Sendable {
  /// As `Broker.name`.
  public var broker: String
  /// Duration of the whole run so far.
  public var elapsedMilliseconds: Int64
  /// First record received, or first sent, to last commit or acknowledgement; `nil` where no records move.
  public var activeMilliseconds: Int64?

  public init(broker: String, elapsedMilliseconds: Int64, activeMilliseconds: Int64?) {
    self.broker = broker
    self.elapsedMilliseconds = elapsedMilliseconds
    self.activeMilliseconds = activeMilliseconds
  }

  /// Appends one document on one line, with a line feed.
  public func append(_ report: some Report, to buffer: ByteBuffer) {
    var json = JSONWriter(buffer)
    json.beginObject()
    json.key("schema")
    json.string("orderstream.\(report.command)/\(report.schemaVersion)")
    json.key("broker")
    json.string(broker)
    json.member("complete", report.completion.isWhole)
    json.key("elapsed_ms")
    json.integer(elapsedMilliseconds)
    if let activeMilliseconds {
      json.key("active_ms")
      json.integer(activeMilliseconds)
    }
    report.appendMembers(to: &json)
    json.endObject()
    buffer.append(UInt8(ascii: "\n"))
  }
}

extension JSONWriter {
  /// Appends a key and an integer.
  mutating func member(_ key: String, _ value: Int64) {
    self.key(key)
    integer(value)
  }

  /// Appends a key and an integer, or `null` for none.
  mutating func member(_ key: String, _ value: Int64?) {
    self.key(key)
    if let value { integer(value) } else { null() }
  }

  /// Appends a key and a string, or `null` for none.
  mutating func member(_ key: String, _ value: String?) {
    self.key(key)
    if let value { string(value) } else { null() }
  }

  /// Appends a key and a boolean.
  mutating func member(_ key: String, _ value: Bool) {
    self.key(key)
    bool(value)
  }
}

/// Whether a run met its own stop condition (its ends, its number of records, its idle time).
public enum Completion: Sendable, Equatable {
  case whole
  /// The state of a run that goes on, as `--follow` shows it.
  case ongoing
  case cutShort(CutShort)

  /// What ended a run before its stop condition, and how far it was.
  public struct CutShort: Sendable, Equatable {
    /// `SIGINT`, `an error (69)`.
    public var cause: String
    /// In the unit that the report counts in.
    public var done: Int64
    /// What there was to do; `nil` when that is not known.
    public var total: Int64?

    public init(by cause: String, after done: Int64, of total: Int64?) {
      self.cause = cause
      self.done = done
      self.total = total
    }

    /// `cut short by SIGINT after 2226 of 3000`.
    var text: String { "cut short by \(cause) after \(done)" + (total.map { " of \($0)" } ?? "") }
  }

  public var isWhole: Bool { self == .whole }

  public var isCutShort: Bool { cutShort != nil }

  var cutShort: CutShort? { if case .cutShort(let cut) = self { cut } else { nil } }
}

/// Text in columns: a title, then rows of a label and a value, as all reports for people look.
enum TextRows {
  /// Width of the label column, as wide as the longest label of the metrics report and two spaces.
  static let labelWidth = 27

  static func append(title: String, to text: ByteBuffer) {
    text.append(title)
    text.append(UInt8(ascii: "\n"))
  }

  static func append(_ label: String, _ value: String, to text: ByteBuffer) {
    appendLabel(label, to: text)
    text.append(value)
    text.append(UInt8(ascii: "\n"))
  }

  static func append(_ label: String, _ value: Int64, to text: ByteBuffer) { append(label, String(value), to: text) }

  static func appendLabel(_ label: String, to text: ByteBuffer) {
    text.append("  " as StaticString)
    text.append(label)
    for _ in 0..<max(1, labelWidth - label.utf8.count) { text.append(UInt8(ascii: " ")) }
  }

  /// A number, right-aligned in `width` columns.
  static func appendRight(_ value: Int64, width: Int, to text: ByteBuffer) {
    appendRight(String(value), width: width, to: text)
  }

  /// Text, right-aligned in `width` columns.
  static func appendRight(_ value: String, width: Int, to text: ByteBuffer) {
    for _ in 0..<max(0, width - value.utf8.count) { text.append(UInt8(ascii: " ")) }
    text.append(value)
  }

  /// Text, left-aligned in `width` columns.
  static func appendLeft(_ value: String, width: Int, to text: ByteBuffer) {
    text.append(value)
    for _ in 0..<max(0, width - value.count) { text.append(UInt8(ascii: " ")) }
  }

  /// Hundredths as a number with exactly two decimals: 512 → `5.12`.
  static func hundredths(_ value: Int64) -> String {
    let cents = value % 100
    return "\(value / 100).\(cents < 10 ? "0" : "")\(cents)"
  }

  /// Milliseconds as seconds: 1234 → `1.234 s`.
  static func seconds(_ milliseconds: Int64) -> String {
    let rest = String(milliseconds % 1000)
    return "\(milliseconds / 1000).\(String(repeating: "0", count: 3 - rest.utf8.count))\(rest) s"
  }
}
