#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// `read(2)`, which the method of that name would hide.
private let systemRead: @Sendable (Int32, UnsafeMutableRawPointer?, Int) -> Int = { read($0, $1, $2) }

/// File descriptors, as far as a stream of output needs them.
enum Descriptor {
  /// The most bytes that one `write` is asked to take.
  static let chunkBytes = 1 << 20

  /// Writes everything, however many calls that takes.
  /// - Returns: 0, or the `errno` of the write that failed.
  static func writeAll(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int32 {
    guard var position = bytes.baseAddress else { return 0 }
    let end = position + bytes.count
    while position < end {
      let written = write(descriptor, position, min(end - position, chunkBytes))
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

  /// One read that no signal interrupts.
  /// - Returns: how many bytes came, 0 at the end, −1 with `errno` set.
  static func read(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    while true {
      let count = systemRead(descriptor, buffer.baseAddress, buffer.count)
      if count >= 0 || errno != EINTR { return count }
    }
  }

  /// Opens `/dev/null` in place of whichever of stdin, stdout and stderr is closed, so that no file of ours ever gets
  /// their numbers. In place of stdout it is opened for reading: writing to it still fails, as it must.
  static func secureStandardStreams() {
    for descriptor in Int32(0)...2 where fcntl(descriptor, F_GETFD) == -1 && errno == EBADF {
      // `open` returns the lowest free number, which is this one.
      _ = open("/dev/null", descriptor == 2 ? O_WRONLY : O_RDONLY)
    }
  }

  static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

  /// The words of the system for an error number.
  static func message(_ code: Int32) -> String { String(cString: strerror(code)) }
}
