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

  /// What the command shows to be true or false; none of one that only tells.
  var claims: [Claim] { get }

  /// Appends the text for people, whole lines, up to what `completion` adds.
  func appendBody(to text: ReportText)

  /// As `appendBody`, for a terminal: at most one screen where that can be, what matters most last.
  func appendBody(to text: ReportText, on screen: Screen)

  /// Appends the members of the JSON document that are the command's own; the object is open.
  func appendMembers(to json: inout JSONWriter)
}

extension Report {
  public var schemaVersion: Int { 1 }

  public var consequence: String? { nil }

  public var claims: [Claim] { [] }

  public func appendBody(to text: ReportText, on screen: Screen) { appendBody(to: text) }

  /// Appends the text for people: the body, and after a run that was cut short the line that says so.
  /// - Parameter screen: The terminal that shows it; `nil` for the whole text.
  public func appendText(to text: ReportText, on screen: Screen? = nil) {
    if let screen { appendBody(to: text, on: screen) } else { appendBody(to: text) }
    guard let cut = completion.cutShort else { return }
    TextRows.append("Result", cut.text + (consequence.map { ": \($0)" } ?? ""), .warning, to: text)
  }

  /// Appends the bytes of the text for people.
  public func appendText(to buffer: ByteBuffer) { appendText(to: ReportText(buffer)) }
}

/// The frame that all JSON documents share.
public struct ReportFrame: Sendable {
  /// As `Broker.name`.
  public var broker: String
  /// Duration of the whole run so far.
  public var elapsedMilliseconds: Int64
  /// First record received, or first sent, to last commit or acknowledgement; `nil` where no records move.
  public var activeMilliseconds: Int64?
  /// What was run.
  public var run = RunFacts()
  /// At which numbers of the document the run has failed.
  public var conditions: [FailCondition] = []

  public init(broker: String, elapsedMilliseconds: Int64, activeMilliseconds: Int64?) {
    self.broker = broker
    self.elapsedMilliseconds = elapsedMilliseconds
    self.activeMilliseconds = activeMilliseconds
  }

  /// Appends one document on one line, with a line feed. That of a run that goes on is without `claims` and `run`.
  /// - Parameter isLive: Whether the run goes on; then nothing fails that is not known yet.
  /// - Returns: the conditions that the document meets.
  @discardableResult
  public func append(_ report: some Report, isLive: Bool? = nil, to buffer: ByteBuffer) -> [FailedCondition] {
    let isLive = isLive ?? (report.completion == .ongoing)
    let start = buffer.count
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
    let failed = failedConditions(of: buffer, from: start, isFinal: !isLive)
    if !isLive || !failed.isEmpty {
      json.key("failed_conditions")
      FailedCondition.append(failed, to: &json)
    }
    if !isLive {
      appendCut(report.completion.cutShort, to: &json)
      appendClaims(report.claims + claims(of: failed), to: &json)
      run.append(to: &json)
    }
    json.endObject()
    buffer.append(UInt8(ascii: "\n"))
    return failed
  }

  /// - Parameter start: of the document, whose object is open.
  private func failedConditions(of buffer: ByteBuffer, from start: Int, isFinal: Bool) -> [FailedCondition] {
    if conditions.isEmpty { return [] }
    let text = ByteBuffer(capacity: buffer.count - start + 1)
    text.append(UnsafeRawBufferPointer(rebasing: buffer.bytes[start...]))
    text.append(UInt8(ascii: "}"))
    guard let root = DocumentValue(parsing: text.bytes) else { preconditionFailure("a document is JSON") }
    return conditions.compactMap { FailedCondition($0, in: root, isFinal: isFinal) }
  }

  private func claims(of failed: [FailedCondition]) -> [Claim] {
    conditions.map { condition in FailedCondition.claim(condition, failed.first { $0.condition == condition }) }
  }

  private func appendCut(_ cut: Completion.CutShort?, to json: inout JSONWriter) {
    json.key("cut_short")
    guard let cut else { return json.null() }
    json.beginObject()
    json.member("by", cut.cause)
    json.member("after", cut.done)
    json.member("of", cut.total)
    json.endObject()
  }

  private func appendClaims(_ claims: [Claim], to json: inout JSONWriter) {
    json.key("claims")
    json.beginArray()
    for claim in claims {
      json.beginObject()
      json.member("claim", claim.text)
      json.key("holds")
      if let holds = claim.holds { json.bool(holds) } else { json.null() }
      json.member("detail", claim.detail)
      json.endObject()
    }
    json.endArray()
  }
}

/// What was run, as `run` in a document: enough to run it again.
public struct RunFacts: Sendable {
  /// Of this program: `0.2.0`.
  public var version = ""
  /// Since 1970.
  public var startMilliseconds: Int64 = 0
  /// The words of the command line, that of the program in front; secrets are masked.
  public var command: [String] = []
  /// Variables of this program that were set, by name.
  public var environment: [(name: String, value: String)] = []

  public init() {}

  /// As in a document.
  public var value: DocumentValue {
    let buffer = ByteBuffer()
    var json = JSONWriter(buffer)
    json.beginObject()
    append(to: &json)
    json.endObject()
    return DocumentValue(parsing: buffer.bytes)?["run"] ?? .null
  }

  func append(to json: inout JSONWriter) {
    json.key("run")
    json.beginObject()
    json.member("version", version)
    json.member("started_at", CivilTime.text(ofMilliseconds: startMilliseconds))
    json.key("command")
    json.beginArray()
    for word in command { json.string(word) }
    json.endArray()
    json.key("environment")
    json.beginObject()
    for variable in environment { json.member(variable.name, variable.value) }
    json.endObject()
    json.endObject()
  }
}

/// Whose result it is: a group, and the topic that it has read.
public struct GroupReader: Sendable {
  public var topic: String
  /// `nil` where it reads without one.
  public var group: String?

  public init(topic: String, group: String?) {
    self.topic = topic
    self.group = group
  }

  func appendMembers(to json: inout JSONWriter) {
    json.member("topic", topic)
    json.member("group", group)
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

extension JSONWriter {
  /// Appends a key and what of each partition was looked at; partitions of which that is nothing are left out.
  mutating func member(_ key: String, _ ranges: [Range<Offset>]) {
    self.key(key)
    beginArray()
    for (number, range) in ranges.enumerated() where !range.isEmpty {
      beginObject()
      member("partition", Int64(number))
      member("from", range.lowerBound)
      member("to", range.upperBound)
      endObject()
    }
    endArray()
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

/// What a piece of a text means. A terminal paints it; a file or a pipe has the same bytes without it.
public enum Tone: Sendable, Hashable {
  case title, good, bad, warning
  /// Of less weight than what stands around it.
  case dim
  /// The bar of a chart, and the part of it that stands for failures.
  case bar, failedBar
}

/// A text under construction: its bytes, and which ranges of them have a tone.
///
/// Not `Sendable`: owned by one thread at a time, as its bytes are.
public final class ReportText {
  public struct Mark {
    /// In bytes.
    public var range: Range<Int>
    public var tone: Tone
  }

  public let buffer: ByteBuffer
  /// In order, none within another.
  public private(set) var marks: [Mark] = []

  /// - Parameter buffer: What is there already stays in front.
  public init(_ buffer: ByteBuffer = ByteBuffer()) { self.buffer = buffer }

  public func append(_ text: StaticString) { buffer.append(text) }
  public func append(_ byte: UInt8) { buffer.append(byte) }

  /// - Parameter tone: `nil` for text that means no more than it says.
  public func append(_ text: some StringProtocol, _ tone: Tone? = nil) {
    let start = buffer.count
    buffer.append(text)
    if let tone, buffer.count > start { marks.append(Mark(range: start..<buffer.count, tone: tone)) }
  }
}
