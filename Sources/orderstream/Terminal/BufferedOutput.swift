import OrderStreamCore

/// stdout for many small lines: collects them and writes 64 KiB at a time. Used by one thread; flush before the end,
/// and whenever a reader waits for what is there.
final class BufferedOutput {
  static let flushBytes = 64 << 10

  /// Append lines here, then call `lineDone`.
  let buffer = ByteBuffer(capacity: flushBytes)
  private let console: Console

  init(_ console: Console) {
    self.console = console
  }

  /// Writes when enough has come together.
  func lineDone() throws(CommandError) {
    if buffer.count >= Self.flushBytes { try flush() }
  }

  func flush() throws(CommandError) {
    defer { buffer.removeAll() }
    if !buffer.isEmpty { try console.write(buffer) }
  }
}
