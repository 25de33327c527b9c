import OrderStreamCore

/// Prints records on stdout, and counts them.
struct RecordPrinter {
  private let output: BufferedOutput
  private let line: RecordLine
  private let isRaw: Bool
  private let escapes: Bool
  private let limit: Int64?
  private var printed: Int64 = 0

  /// - Parameter limit: the most records to print; `nil` for all.
  init(console: Console, topic: String, isRaw: Bool, limit: Int64?) {
    output = BufferedOutput(console)
    line = RecordLine(topic: topic)
    self.isRaw = isRaw
    self.limit = limit
    escapes = console.outputIsTerminal
  }

  var isDone: Bool { limit.map { printed >= $0 } ?? false }

  mutating func print(_ record: RecordBatch.View) throws(CommandError) {
    let start = output.buffer.count
    if isRaw {
      if let value = record.value { output.buffer.append(value) }
    } else {
      line.append(record, to: output.buffer)
    }
    if escapes { escape(from: start) }
    output.buffer.append(UInt8(ascii: "\n"))
    printed += 1
    try output.lineDone()
  }

  /// A terminal would obey control characters: makes what was appended since `start` safe to show.
  private func escape(from start: Int) {
    let text = TerminalText.escaped(UnsafeRawBufferPointer(rebasing: output.buffer.bytes[start...]))
    output.buffer.truncate(to: start)
    output.buffer.append(text)
  }

  func flush() throws(CommandError) { try output.flush() }
}
