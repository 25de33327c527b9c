/// What an audit found.
public struct AuditFindings: Sendable {
  public enum Verdict: String, CaseIterable, Sendable {
    case lost, duplicated, phantom
    case wrongAction = "wrong_action"
    case reordered
  }

  public struct Violation: Sendable {
    public var verdict: Verdict
    /// `<topic>/<partition>/<offset>/<line>`, `nil` when the event names none.
    public var source: String?
    /// Coordinates of the inventory event, `nil` when there is none.
    public var output: String?
    public var expected: String
    public var found: String
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
  /// Events and items whose counterpart retention has removed.
  public var unverifiable: Int64 = 0
  public private(set) var counts: [Verdict: Int64] = [:]
  public private(set) var violations: [Violation] = []

  public func count(_ verdict: Verdict) -> Int64 { counts[verdict] ?? 0 }

  /// No violation of any kind.
  public var isClean: Bool { counts.isEmpty }

  mutating func add(
    _ verdict: Verdict, source: String?, output: Coordinates?, expected: @autoclosure () -> String,
    found: @autoclosure () -> String
  ) {
    counts[verdict, default: 0] += 1
    guard count(verdict) <= Self.violationLimit else { return }
    violations.append(
      Violation(
        verdict: verdict, source: source, output: output?.description, expected: expected(), found: found()))
  }

  static func source(_ topic: String, _ partition: Int32, _ offset: Offset, _ line: Int32) -> String {
    "\(topic)/\(partition)/\(offset)/\(line)"
  }

  /// Key and value of an event as text, shortened.
  static func text(key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?) -> String {
    "\(text(key) ?? "(no key)") \(text(value) ?? "(tombstone)")"
  }

  private static func text(_ bytes: UnsafeRawBufferPointer?) -> String? {
    guard let bytes else { return nil }
    let text = String(decoding: bytes.prefix(textLimit), as: UTF8.self)
    return bytes.count > textLimit ? text + "…" : text
  }
}
