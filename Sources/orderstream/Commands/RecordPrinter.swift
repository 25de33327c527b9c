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
    if isRaw {
      if let value = record.value {
        // A terminal would obey control characters in a value.
        if escapes { output.buffer.append(TerminalText.escaped(value)) } else { output.buffer.append(value) }
      }
    } else {
      line.append(record, escapingForTerminal: escapes, to: output.buffer)
    }
    output.buffer.append(UInt8(ascii: "\n"))
    printed += 1
    try output.lineDone()
  }

  func flush() throws(CommandError) { try output.flush() }
}
