import OrderStreamCore

/// Prints records on stdout, and counts them.
struct RecordPrinter {
  private let output: BufferedOutput
  private let document: RecordLine
  private let exact: ExactLine
  private let form: TailOptions.Form
  private let escapes: Bool
  private let limit: Int64?
  private var printed: Int64 = 0

  /// - Parameter limit: the most records to print; `nil` for all.
  init(console: Console, topic: String, form: TailOptions.Form, partitionCount: Int, limit: Int64?) {
    output = BufferedOutput(console)
    document = RecordLine(topic: topic)
    exact = ExactLine(topic: topic, partitionCount: Int32(partitionCount))
    self.form = form
    self.limit = limit
    escapes = console.outputIsTerminal
  }

  var isDone: Bool { limit.map { printed >= $0 } ?? false }

  /// The record's line, without its line feed.
  func line(_ record: RecordBatch.View) -> [UInt8] {
    let buffer = ByteBuffer()
    append(record, to: buffer)
    return Array(buffer.bytes)
  }

  mutating func print(_ record: LastRecords.Record) throws {
    record.line.withUnsafeBytes { output.buffer.append($0) }
    try endLine()
  }

  mutating func print(_ record: RecordBatch.View) throws {
    append(record, to: output.buffer)
    try endLine()
  }

  private func append(_ record: RecordBatch.View, to buffer: ByteBuffer) {
    let start = buffer.count
    switch form {
    case .document: document.append(record, to: buffer)
    case .exact: exact.append(record, to: buffer)
    case .raw: if let value = record.value { buffer.append(value) }
    }
    guard escapes else { return }
    // A terminal would obey control characters.
    let text = TerminalText.escaped(UnsafeRawBufferPointer(rebasing: buffer.bytes[start...]))
    buffer.truncate(to: start)
    buffer.append(text)
  }

  private mutating func endLine() throws {
    output.buffer.append(UInt8(ascii: "\n"))
    printed += 1
    try output.lineDone()
  }

  func flush() throws { try output.flush() }
}

/// The newest of the records that were seen, by timestamp, then partition and offset: so many at the most.
struct LastRecords {
  /// Offsets that are read at once at the least: to begin costs more than to read them.
  static let leastStretch: Int64 = 200

  struct Record {
    let place: (timestamp: Int64, partition: Int32, offset: Offset)
    let line: [UInt8]
  }

  private let limit: Int
  private var records: [Record] = []

  init(_ limit: Int) { self.limit = limit }

  /// - Parameter line: made only for a record that is kept.
  mutating func add(_ record: RecordBatch.View, line: () -> [UInt8]) {
    let place = (timestamp: record.timestampMs, partition: record.partition, offset: record.offset)
    if records.count >= 2 * limit { prune() }
    if records.count >= limit, let least = threshold, place < least { return }
    records.append(Record(place: place, line: line()))
  }

  /// What is not above it is not among the last.
  private var threshold: (timestamp: Int64, partition: Int32, offset: Offset)?

  private mutating func prune() {
    records = sorted
    threshold = records.first?.place
  }

  var sorted: [Record] { Array(records.sorted { $0.place < $1.place }.suffix(limit)) }
}
