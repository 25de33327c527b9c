/// What an audit found.
public struct AuditFindings: Sendable {
  public enum Verdict: String, CaseIterable, Sendable {
    case lost, duplicated, phantom
    case wrongAction = "wrong_action"
    case reordered
    case wrongPartition = "wrong_partition"
    case deadLettersLost = "dead_letters_lost"
    case deadLettersDuplicated = "dead_letters_duplicated"
    case deadLettersAltered = "dead_letters_altered"
    case deadLettersPhantom = "dead_letters_phantom"
    case acknowledgedMissing = "acknowledged_missing"
    case acknowledgedAltered = "acknowledged_altered"
    case acknowledgedTwice = "acknowledged_twice"

    /// About inventory events: every audit has these.
    public static let ofEvents: [Verdict] = [.lost, .duplicated, .phantom, .wrongAction, .reordered, .wrongPartition]
    /// About dead letters.
    public static let ofDeadLetters: [Verdict] = [
      .deadLettersLost, .deadLettersDuplicated, .deadLettersAltered, .deadLettersPhantom,
    ]
    /// About acknowledged records.
    public static let ofReceipts: [Verdict] = [.acknowledgedMissing, .acknowledgedAltered, .acknowledgedTwice]
  }

  public struct Violation: Sendable {
    public var verdict: Verdict
    /// `<topic>/<partition>/<offset>/<line>`, of a record without the line; `nil` when what was found names none.
    public var source: String?
    /// Coordinates of the inventory event or the dead letter, `nil` when there is none.
    public var output: String?
    public var expected: String
    public var found: String
    /// Where a receipt speaks of it; `nil` where none does.
    public var chunk: ChunkPlace?
  }

  /// A chunk of a receipt.
  public struct ChunkPlace: Sendable, Equatable {
    /// The run of `produce`.
    public var run: String
    /// In its partition, from 0; `nil` of a record that was acknowledged without an offset.
    public var chunk: Int64?
  }

  /// What was found about dead letters beside violations.
  public struct DeadLetters: Sendable {
    /// Records of the dead-letter topic that were read.
    public var records: Int64 = 0
    /// Rejected records that the group has not committed yet and that have no letter.
    public var pending: Int64 = 0
    /// Letters of another source topic, or of another group than the one that is asked about.
    public var other: Int64 = 0
    /// Letters of records outside of the range.
    public var outside: Int64 = 0
    /// Letters and rejected records whose counterpart retention has removed.
    public var unverifiable: Int64 = 0
  }

  /// Coordinates kept of each verdict; all are counted.
  public static let violationLimit = 20
  /// Characters kept of a text that came from a record.
  static let textLimit = 512

  public var orders: Int64 = 0
  public var items: Int64 = 0
  public var inventoryEvents: Int64 = 0
  public var rejected: Int64 = 0
  /// Items that the group has not committed yet and that are not there.
  public var pending: Int64 = 0
  /// Orders with such items.
  public var pendingOrders: Int64 = 0
  /// Events of another source topic.
  public var other: Int64 = 0
  /// Events of orders outside of the range.
  public var outside: Int64 = 0
  /// Events and items whose counterpart retention has removed, and events of which it has removed what tells their
  /// partition.
  public var unverifiable: Int64 = 0
  /// `nil` when nobody asked about dead letters.
  public var deadLetters: DeadLetters?
  /// `nil` when no receipt was given.
  public var receipts: ReceiptFindings?
  /// Whether orders were joined with their events; if not, there is only what the receipts say.
  public var coversEvents = true
  public private(set) var counts: [Verdict: Int64] = [:]
  public private(set) var violations: [Violation] = []

  public func count(_ verdict: Verdict) -> Int64 { counts[verdict] ?? 0 }

  /// No violation of any kind, and no receipt of another topic.
  public var isClean: Bool { counts.isEmpty && receipts?.strangers.isEmpty != false }

  /// Whatever could not be verified.
  public var unverifiableInAll: Int64 {
    unverifiable + (deadLetters?.unverifiable ?? 0) + (receipts?.unverifiable ?? 0)
  }

  public init() {}

  mutating func add(
    _ verdict: Verdict, source: String?, output: Coordinates?, expected: @autoclosure () -> String,
    found: @autoclosure () -> String, chunk: ChunkPlace? = nil
  ) {
    counts[verdict, default: 0] += 1
    guard count(verdict) <= Self.violationLimit else { return }
    violations.append(
      Violation(
        verdict: verdict, source: source, output: output?.description, expected: expected(), found: found(),
        chunk: chunk))
  }

  /// Counts more of them, which are not named.
  mutating func count(_ verdict: Verdict, more: Int64) {
    if more > 0 { counts[verdict, default: 0] += more }
  }

  /// Takes over the violations that another part of the audit has found, of verdicts that only that part gives.
  public mutating func add(violationsOf part: AuditFindings) {
    counts.merge(part.counts, uniquingKeysWith: +)
    violations += part.violations
  }

  static func source(_ topic: String, _ partition: Int32, _ offset: Offset, _ line: Int32) -> String {
    "\(topic)/\(partition)/\(offset)/\(line)"
  }

  static func source(_ topic: String, _ partition: Int32, _ offset: Offset) -> String {
    "\(topic)/\(partition)/\(offset)"
  }

  /// Key and value of an event as text, shortened.
  static func text(key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?) -> String {
    "\(text(key) ?? "(no key)") \(text(value) ?? "(tombstone)")"
  }

  static func text(_ bytes: UnsafeRawBufferPointer?) -> String? {
    guard let bytes else { return nil }
    let text = String(decoding: bytes.prefix(textLimit), as: UTF8.self)
    return bytes.count > textLimit ? text + "…" : text
  }
}
