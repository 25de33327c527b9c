import OrderStreamCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Reads a file or stdin line by line in bounded memory: of a line longer than a valid record, only the length is kept.
final class LineReader {
  /// What one line is.
  enum Line {
    /// The bytes without the line feed (and without a carriage return before it), valid until the next call.
    /// `ByteBuffer.tailPadding` readable bytes follow them.
    case text(UnsafeRawBufferPointer)
    /// Longer than `Poison.longestValue`.
    case tooLong
  }

  private static let chunkBytes = 256 << 10
  /// How long a silent pipe keeps a request to stop waiting.
  private static let pollMilliseconds: Int32 = 100

  private let descriptor: Int32
  private let name: String
  private let line = ByteBuffer(capacity: 4096)
  private let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: LineReader.chunkBytes, alignment: 16)
  private var unread: Range<Int> = 0..<0
  private var isAtEnd = false

  /// - Parameter path: `-` for stdin.
  /// - Throws: `input` when the file cannot be opened.
  init(_ path: String) throws(CommandError) {
    name = path == "-" ? "stdin" : path
    descriptor = path == "-" ? 0 : open(path, O_RDONLY | O_CLOEXEC)
    var status = stat()
    guard descriptor >= 0, fstat(descriptor, &status) == 0 else {
      throw CommandError(
        .input, "cannot read \(name)", why: Descriptor.message(errno),
        remedy: "name a file of JSON lines, or - for stdin")
    }
    if status.st_mode & S_IFMT == S_IFDIR {
      throw CommandError(
        .input, "cannot read \(name)", why: "it is a directory", remedy: "name a file of JSON lines, or - for stdin")
    }
  }

  deinit {
    chunk.deallocate()
    if descriptor > 0 { close(descriptor) }
  }

  /// The next line; `nil` at the end, and once a signal requests a stop. A last line without a line feed counts.
  /// - Throws: `io` when the file cannot be read on.
  func next() throws(CommandError) -> Line? {
    line.removeAll()
    var isTooLong = false
    while true {
      if unread.isEmpty, try !fill() {
        // A signal may come in the middle of a line, whose end is not known then.
        if !isAtEnd || line.isEmpty && !isTooLong { return nil }
        return finished(isTooLong)
      }
      let bytes = UnsafeRawBufferPointer(rebasing: chunk[unread])
      let end = bytes.firstIndex(of: 0x0A)
      let length = end ?? bytes.count
      // One byte more than a valid value, for the carriage return.
      if line.count + length > Poison.longestValue + 1 { isTooLong = true }
      if !isTooLong { line.append(UnsafeRawBufferPointer(rebasing: bytes[..<length])) }
      unread = unread.lowerBound + length + (end == nil ? 0 : 1)..<unread.upperBound
      if end != nil { return finished(isTooLong) }
    }
  }

  private func finished(_ isTooLong: Bool) -> Line {
    if isTooLong { return .tooLong }
    if line.bytes.last == 0x0D { line.truncate(to: line.count - 1) }
    return line.count > Poison.longestValue ? .tooLong : .text(line.bytes)
  }

  private func fill() throws(CommandError) -> Bool {
    if isAtEnd { return false }
    while true {
      guard waitForInput() else { return false }
      let count = read(descriptor, chunk.baseAddress, chunk.count)
      if count > 0 {
        unread = 0..<count
        return true
      }
      if count == 0 {
        isAtEnd = true
        return false
      }
      if errno != EINTR {
        throw CommandError(.io, "cannot read \(name)", why: Descriptor.message(errno), remedy: "look at the disk")
      }
    }
  }

  /// Waits until there is something to read; `false` once a signal requests a stop. A pipe may stay silent for long.
  private func waitForInput() -> Bool {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    while Signals.exitCode == nil {
      let ready = poll(&entry, 1, Self.pollMilliseconds)
      // An interrupted poll says nothing about the pipe: reading now could block for ever.
      if ready > 0 || ready < 0 && errno != EINTR { return true }
    }
    return false
  }
}
