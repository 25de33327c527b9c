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
    /// Longer than is kept.
    case tooLong
  }

  private static let chunkBytes = 256 << 10
  private static let headBytes = 512
  private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
  /// How long a silent pipe keeps a request to stop waiting.
  private static let pollMilliseconds: Int32 = 100

  private let descriptor: Int32
  private let name: String
  private let longest: Int
  private let line = ByteBuffer(capacity: 4096)
  private let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: LineReader.chunkBytes, alignment: 16)
  private var unread: Range<Int> = 0..<0
  private(set) var isAtEnd = false
  /// The first bytes of the input, as far as they have come, from which its kind can be told.
  private(set) var head: [UInt8] = []
  private var isFirstLine = true
  /// A file is there as a whole, and can be read again; a pipe's other end may go on for ever.
  let isFile: Bool
  /// The line in hand is not whole yet.
  private var isInLine = false
  /// The line in hand is too long; its bytes are not kept.
  private var isTooLong = false

  /// Of the bytes so far; `nil` where nobody wants it.
  private let hash: IncrementalHash?

  /// - Parameters:
  ///   - path: `-` for stdin.
  ///   - longest: bytes of a line that is kept.
  ///   - digests: whether the bytes are digested.
  /// - Throws: `input` when the file cannot be opened; the signal's code when one ends the wait for a pipe's writer.
  init(_ path: String, longest: Int = Poison.longestValue, digests: Bool = false) throws(CommandError) {
    self.longest = longest
    hash = digests ? IncrementalHash() : nil
    name = path == "-" ? "stdin" : path
    if path == "-" && FileDescriptor.inputWasClosed {
      throw CommandError(
        .input, "cannot read stdin", why: "it is closed", remedy: "name a file of JSON lines, or redirect stdin")
    }
    descriptor =
      path == "-" ? 0 : FileDescriptor.open(path, O_RDONLY, mayGiveUp: { Signals.exitCode != nil })
    if descriptor < 0, errno == ECANCELED, let signal = Signals.exitCode {
      throw CommandError(
        signal, "cannot read \(name)",
        why: "nobody has opened this pipe for writing, and a signal ended the wait for it")
    }
    var status = stat()
    guard descriptor >= 0, fstat(descriptor, &status) == 0 else {
      throw CommandError(
        .input, "cannot read \(name)", why: FileDescriptor.message(errno),
        remedy: "name a file of JSON lines, or - for stdin")
    }
    isFile = status.st_mode & S_IFMT == S_IFREG
    if status.st_mode & S_IFMT == S_IFDIR {
      throw CommandError(
        .input, "cannot read \(name)", why: "it is a directory", remedy: "name a file of JSON lines, or - for stdin")
    }
  }

  /// Of all bytes; `nil` before the end of the input, and where nobody wants it.
  var digest: Digest? { isAtEnd ? hash?.soFar : nil }

  deinit {
    chunk.deallocate()
    if descriptor > 0 { close(descriptor) }
  }

  /// The next line; `nil` at the end, and once a signal requests a stop. A last line without a line feed counts.
  /// - Throws: `io` when the file cannot be read on.
  func next() throws(CommandError) -> Line? {
    line.removeAll()
    isTooLong = false
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
      if line.count + length > longest + 1 { isTooLong = true }
      if !isTooLong { line.append(UnsafeRawBufferPointer(rebasing: bytes[..<length])) }
      unread = unread.lowerBound + length + (end == nil ? 0 : 1)..<unread.upperBound
      isInLine = end == nil
      if end != nil { return finished(isTooLong) }
    }
  }

  // MARK: - What is left

  /// How long a pipe may be silent before what it brings later is left to others.
  private static let restSilenceMilliseconds: Int32 = 300
  /// How long a pipe is read that does not fall silent, and any input once a signal ends the run.
  private static let restLimit = Duration.seconds(2)

  /// Hands out the bytes that were not returned as lines, those of a line in hand too, as far as they can be read without
  /// waiting for long.
  /// - Returns: whether the input was read to its end.
  func rest(_ time: any TimeSource, _ body: (UnsafeRawBufferPointer) throws -> Void) throws -> Bool {
    // Of a line that is too long only the length is known: it is not an order, and its rest is none either.
    var skips = isTooLong
    if isInLine && !skips { try body(line.bytes) }
    var deadline: Int64?
    while true {
      var bytes = UnsafeRawBufferPointer(rebasing: chunk[unread])
      if skips {
        let end = bytes.firstIndex(of: 0x0A)
        bytes = UnsafeRawBufferPointer(rebasing: bytes[(end.map { $0 + 1 } ?? bytes.count)...])
        skips = end == nil
      }
      if !bytes.isEmpty { try body(bytes) }
      unread = 0..<0
      if isAtEnd { return true }
      if !isFile || Signals.exitCode != nil {
        let now = time.monotonicNanoseconds
        let limit = deadline ?? now + Self.restLimit.nanoseconds
        deadline = limit
        if now >= limit { return false }
      }
      guard try refill() else { return false }
    }
  }

  /// - Returns: `false` when a pipe is silent.
  private func refill() throws(CommandError) -> Bool {
    if !isFile {
      var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      let ready = poll(&entry, 1, Self.restSilenceMilliseconds)
      if ready < 0 && errno == EINTR { return true }
      if ready == 0 { return false }
    }
    _ = try readChunk()
    return true
  }

  private func finished(_ isTooLong: Bool) -> Line {
    defer { (isInLine, self.isTooLong, isFirstLine) = (false, false, false) }
    if isTooLong { return .tooLong }
    if line.bytes.last == 0x0D { line.truncate(to: line.count - 1) }
    var bytes = line.bytes
    // Editors and exporters put one at the start of a file; anywhere else it is poison.
    if isFirstLine && bytes.starts(with: Self.byteOrderMark) {
      bytes = UnsafeRawBufferPointer(rebasing: bytes[Self.byteOrderMark.count...])
    }
    return bytes.count > longest ? .tooLong : .text(bytes)
  }

  private func fill() throws(CommandError) -> Bool {
    if isAtEnd { return false }
    guard waitForInput() else { return false }
    return try readChunk()
  }

  private func readChunk() throws(CommandError) -> Bool {
    while true {
      let count = read(descriptor, chunk.baseAddress, chunk.count)
      if count > 0 {
        unread = 0..<count
        hash?.add(UnsafeRawBufferPointer(rebasing: chunk[unread]))
        if head.count < Self.headBytes { head += chunk[unread].prefix(Self.headBytes - head.count) }
        return true
      }
      if count == 0 {
        isAtEnd = true
        return false
      }
      if errno != EINTR {
        throw CommandError(
          .io, "cannot read \(name)", why: FileDescriptor.message(errno), remedy: "check the disk"
        )
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
