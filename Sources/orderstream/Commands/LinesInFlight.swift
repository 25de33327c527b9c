import OrderStreamCore

/// The lines of `produce --input` that the producer has and no report has come for: at most as many as its queue holds.
/// Those that are not acknowledged go to the file of `--unacknowledged`.
final class LinesInFlight {
  private struct Line {
    /// In the input, from 1.
    var number: Int64
    /// Empty where no file wants them.
    var bytes: [UInt8]
  }

  private static let flushBytes = 64 << 10

  /// Where lines go that are not acknowledged; `nil`: nowhere.
  let file: AtomicFile?
  private var draft: AtomicFile.Draft?
  private let pending = ByteBuffer(capacity: LinesInFlight.flushBytes)
  private var lines: [Int64: Line] = [:]
  /// Hears of each line that the broker refused.
  private let refuse: (_ line: Int64, BrokerError) -> Void

  init(_ file: AtomicFile?, refuse: @escaping (_ line: Int64, BrokerError) -> Void) {
    self.file = file
    self.refuse = refuse
  }

  /// A line that is about to be sent.
  /// - Parameter sequence: as in `RecordReports`.
  func add(_ sequence: Int64, line number: Int64, _ bytes: UnsafeRawBufferPointer) {
    lines[sequence] = Line(number: number, bytes: file == nil ? [] : Array(bytes))
  }

  /// Lets go of what is acknowledged, names what was refused, and keeps what failed.
  func take(_ reports: RecordReports) throws {
    for sequence in reports.acknowledged { lines[sequence] = nil }
    for refusal in reports.refused.sorted(by: { $0.sequence < $1.sequence }) {
      if let line = lines[refusal.sequence] { refuse(line.number, refusal.error) }
    }
    try keep((reports.refused.map(\.sequence) + reports.failed).sorted())
  }

  /// Keeps every line for which no acknowledgement came; the producer is closed.
  func keepAll() throws { try keep(lines.keys.sorted()) }

  private func keep(_ sequences: [Int64]) throws {
    for sequence in sequences {
      guard let line = lines.removeValue(forKey: sequence), file != nil else { continue }
      line.bytes.withUnsafeBytes { pending.append($0) }
      pending.append(UInt8(ascii: "\n"))
      if pending.count >= Self.flushBytes { try flush() }
    }
  }

  /// Keeps bytes of the input that were never lines.
  func keep(_ bytes: UnsafeRawBufferPointer) throws {
    guard file != nil else { return }
    try flush()
    try open()?.append(bytes)
  }

  /// Replaces the file, also by an empty one: what an earlier run left there is not this run's.
  func commit() throws {
    try flush()
    try open()?.commit()
  }

  private func flush() throws {
    defer { pending.removeAll() }
    if !pending.isEmpty { try open()?.append(pending.bytes) }
  }

  private func open() throws -> AtomicFile.Draft? {
    if draft == nil { draft = try file?.draft() }
    return draft
  }
}

/// Counts lines that are not blank in bytes that come in pieces.
struct LineCounter {
  private(set) var count: Int64 = 0
  private var isInLine = false

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    for byte in bytes {
      switch byte {
      case 0x0A: isInLine = false
      case 0x20, 0x09, 0x0D: continue
      default:
        if !isInLine { count += 1 }
        isInLine = true
      }
    }
  }
}
