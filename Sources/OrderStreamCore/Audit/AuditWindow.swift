/// A stretch of the output topic in output order, held in memory while its sources are read. Bounded by
/// `eventLimit` and `byteLimit`.
final class AuditWindow {
  static let eventLimit = 32_000
  static let byteLimit = 8 << 20

  /// What is known about one inventory event.
  struct Event {
    let outputPartition: Int32
    let outputOffset: Offset
    /// `nil`: no source header, or one that names nothing.
    let source: SourceHeader?
    fileprivate let keyStart: Int
    /// −1: no key.
    fileprivate let keyLength: Int
    fileprivate let valueStart: Int
    fileprivate let valueLength: Int
    /// Items of the source order; 0 until the source was found.
    var itemCount = 0
    var verdict: Verdict = .unknown
  }

  enum Verdict {
    /// The source was not found (yet).
    case unknown
    case matches
    case differs
    case unverifiable
    case other
  }

  private(set) var events: [Event] = []
  /// What the first events that differ must be, by their index in `events`: so many as a report can name.
  private var expectedTexts: [Int: String] = [:]
  private let arena = ByteBuffer(capacity: 1 << 20)

  var isFull: Bool { events.count >= Self.eventLimit || arena.count >= Self.byteLimit }

  func removeAll() {
    events.removeAll(keepingCapacity: true)
    expectedTexts.removeAll()
    arena.removeAll()
  }

  func append(_ record: RecordBatch.View, source: SourceHeader?) {
    let keyStart = arena.count
    if let key = record.key { arena.append(key) }
    let valueStart = arena.count
    if let value = record.value { arena.append(value) }
    events.append(
      Event(
        outputPartition: record.partition, outputOffset: record.offset, source: source, keyStart: keyStart,
        keyLength: record.key?.count ?? -1, valueStart: valueStart, valueLength: record.value?.count ?? -1))
  }

  func key(_ event: Event) -> UnsafeRawBufferPointer? { bytes(event.keyStart, event.keyLength) }

  func value(_ event: Event) -> UnsafeRawBufferPointer? { bytes(event.valueStart, event.valueLength) }

  private func bytes(_ start: Int, _ length: Int) -> UnsafeRawBufferPointer? {
    length < 0 ? nil : UnsafeRawBufferPointer(rebasing: arena.bytes[start..<(start + length)])
  }

  func setVerdict(_ verdict: Verdict, at index: Int) { events[index].verdict = verdict }

  /// Keeps what the event at `index` must be, as long as it may be among the first that differ in output order.
  func noteExpected(_ text: @autoclosure () -> String, at index: Int) {
    if expectedTexts.count >= AuditFindings.violationLimit, let last = expectedTexts.keys.max() {
      guard index < last else { return }
      expectedTexts[last] = nil
    }
    expectedTexts[index] = text()
  }

  func expectedText(at index: Int) -> String { expectedTexts[index] ?? "" }

  func setFound(itemCount: Int, verdict: Verdict, at index: Int) {
    events[index].itemCount = itemCount
    events[index].verdict = verdict
  }
}
