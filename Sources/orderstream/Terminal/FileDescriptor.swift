import OrderStreamCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// `read(2)`, which the method of that name would hide.
private let systemRead: @Sendable (Int32, UnsafeMutableRawPointer?, Int) -> Int = { read($0, $1, $2) }

/// `open(2)`, likewise.
private let systemOpen: @Sendable (String, Int32) -> Int32 = { open($0, $1) }

/// File descriptors, as far as a stream of output needs them.
enum FileDescriptor {
  /// The most bytes that one `write` is asked to take.
  static let chunkBytes = 1 << 20

  /// How long one look at a reader takes, and how many of them in a row, with nothing read, end the wait.
  private static let readerPollMilliseconds: Int32 = 100
  private static let readerPolls = 10

  /// Writes everything, however many calls that takes.
  /// - Parameter mayGiveUp: asked while a pipe or a terminal takes nothing; `true` gives up after a second of that.
  /// - Returns: 0, or the `errno` of the write that failed; `ECANCELED` when it gave up.
  static func writeAll(
    _ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, mayGiveUp: (() -> Bool)? = nil
  ) -> Int32 {
    guard var position = bytes.baseAddress else { return 0 }
    let end = position + bytes.count
    // poll(2) passes over negative numbers; write(2) names them.
    let waits = mayGiveUp != nil && descriptor >= 0 && !isFile(descriptor)
    while position < end {
      if waits, let mayGiveUp, !waitForReader(descriptor, mayGiveUp) { return ECANCELED }
      // A pipe that is ready takes PIPE_BUF bytes without blocking.
      let written = write(descriptor, position, min(end - position, waits ? Int(PIPE_BUF) : chunkBytes))
      if written >= 0 {
        position += written
      } else if errno == EAGAIN || errno == EWOULDBLOCK {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&request, 1, -1)
      } else if errno != EINTR {
        return errno
      }
    }
    return 0
  }

  /// Opens a path. A pipe by name is waited for until its other end is open too, which `mayGiveUp` ends.
  /// - Parameter flags: `O_RDONLY` or `O_WRONLY`, and others.
  /// - Returns: the descriptor, or −1 with `errno` set: `ECANCELED` when it gave up.
  static func open(_ path: String, _ flags: Int32, mayGiveUp: () -> Bool) -> Int32 {
    while true {
      let descriptor = systemOpen(path, flags | O_CLOEXEC | O_NONBLOCK)
      if descriptor < 0 {
        // What a pipe says that nobody reads.
        guard errno == ENXIO, flags & O_ACCMODE == O_WRONLY, isPipe(path) else { return -1 }
        if mayGiveUp() {
          errno = ECANCELED
          return -1
        }
        usleep(otherEndMicroseconds)
        continue
      }
      if flags & O_ACCMODE == O_RDONLY, isPipe(path), !waitForWriter(descriptor, mayGiveUp) {
        close(descriptor)
        errno = ECANCELED
        return -1
      }
      _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
      return descriptor
    }
  }

  /// How often the other end of a pipe is looked for.
  private static let otherEndMicroseconds: UInt32 = 20_000

  private static func isPipe(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
  }

  /// A pipe that no writer has opened yet is neither ready nor at its end.
  private static func waitForWriter(_ descriptor: Int32, _ mayGiveUp: () -> Bool) -> Bool {
    while true {
      var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      if poll(&request, 1, readerPollMilliseconds) > 0 { return true }
      if mayGiveUp() { return false }
    }
  }

  private static func isFile(_ descriptor: Int32) -> Bool {
    var status = stat()
    return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  /// Waits until the descriptor takes bytes; `false` when nobody has read for a second and `mayGiveUp` says so.
  private static func waitForReader(_ descriptor: Int32, _ mayGiveUp: () -> Bool) -> Bool {
    var silent = 0
    while true {
      var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      if poll(&request, 1, readerPollMilliseconds) > 0 { return true }
      silent = mayGiveUp() ? silent + 1 : 0
      if silent >= readerPolls { return false }
    }
  }

  /// One read that no signal interrupts.
  /// - Returns: how many bytes came, 0 at the end, −1 with `errno` set.
  static func read(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    while true {
      let count = systemRead(descriptor, buffer.baseAddress, buffer.count)
      if count >= 0 || errno != EINTR { return count }
    }
  }

  /// Whether this process was started without a stdin; what stands in its place is empty, which is not what was meant.
  /// Written once, before there is another thread.
  nonisolated(unsafe) private(set) static var inputWasClosed = false

  /// The whole of a file.
  /// - Parameters:
  ///   - path: `-` for stdin.
  ///   - limit: In bytes; a larger file is refused.
  ///   - remedy: What to do about a file that cannot be read.
  /// - Throws: `input`.
  static func contents(of path: String, limit: Int, remedy: String) throws(CommandError) -> ByteBuffer {
    func unreadable(_ why: String) -> CommandError {
      CommandError(.input, "cannot read \(path == "-" ? "stdin" : path)", why: why, remedy: remedy)
    }
    if path == "-" && inputWasClosed { throw unreadable("it is closed") }
    let descriptor = path == "-" ? 0 : open(path, O_RDONLY, mayGiveUp: { Signals.exitCode != nil })
    if descriptor < 0 { throw unreadable(message(errno)) }
    defer { if descriptor > 0 { close(descriptor) } }
    let buffer = ByteBuffer()
    let chunkBytes = 64 << 10
    while true {
      var (count, code) = (0, Int32(0))
      buffer.append(upTo: chunkBytes) { room in
        count = read(descriptor, UnsafeMutableRawBufferPointer(start: room, count: chunkBytes))
        code = errno
        return max(0, count)
      }
      if count < 0 { throw unreadable(code == EISDIR ? "it is a directory" : message(code)) }
      if count == 0 { return buffer }
      if buffer.count > limit { throw unreadable("it is larger than \(limit >> 20) MiB") }
    }
  }

  /// Opens `/dev/null` in place of whichever of stdin, stdout and stderr is closed, so that no file of ours ever gets
  /// their numbers. In place of stdout it is opened for reading: writing to it still fails, as it must.
  static func secureStandardStreams() {
    inputWasClosed = fcntl(0, F_GETFD) == -1 && errno == EBADF
    for descriptor in Int32(0)...2 where fcntl(descriptor, F_GETFD) == -1 && errno == EBADF {
      // `open` returns the lowest free number, which is this one.
      _ = systemOpen("/dev/null", descriptor == 2 ? O_WRONLY : O_RDONLY)
    }
  }

  /// Has the bytes of a file, or the names in a directory, on the disk.
  /// - Returns: 0, or the `errno` of the call that failed.
  static func synchronize(_ descriptor: Int32) -> Int32 {
    #if canImport(Darwin)
      // fsync leaves the bytes in the drive's cache there. Some file systems know only fsync.
      if fcntl(descriptor, F_FULLFSYNC) == 0 { return 0 }
    #endif
    return fsync(descriptor) == 0 ? 0 : errno
  }

  static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

  /// The words of the system for an error number.
  static func message(_ code: Int32) -> String { String(cString: strerror(code)) }
}
