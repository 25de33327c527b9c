import Foundation

/// An error number of the operating system.
struct ErrorNumber: Error, Equatable {
  var code: Int32

  static var current: ErrorNumber { ErrorNumber(code: errno) }

  /// `No space left on device (ENOSPC)` where the name is known, the sentence alone elsewhere.
  var words: String { String(cString: strerror(code)) }
}

/// An open file that is closed with its owner. Locks taken on it with `flock` go with it: the kernel frees them on any
/// kind of death.
struct Descriptor: ~Copyable {
  enum LockKind {
    case shared, exclusive

    fileprivate var operation: Int32 { self == .shared ? LOCK_SH : LOCK_EX }
  }

  private let number: Int32

  /// - Parameter flags: `open`'s, without `O_CLOEXEC`, which is always set.
  init(opening path: String, flags: Int32) throws(ErrorNumber) {
    number = open(path, flags | O_CLOEXEC, 0o600)
    if number < 0 { throw .current }
  }

  deinit { close(number) }

  /// Takes the lock if nobody holds one in its way.
  borrowing func tryLock(_ kind: LockKind) throws(ErrorNumber) -> Bool {
    while flock(number, kind.operation | LOCK_NB) != 0 {
      switch errno {
      case EWOULDBLOCK: return false
      case EINTR: continue
      default: throw .current
      }
    }
    return true
  }

  borrowing func unlock() { _ = flock(number, LOCK_UN) }

  /// Reads up to `buffer.count` bytes at `position`; returns how many there were.
  borrowing func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int64) throws(ErrorNumber) -> Int {
    var done = 0
    while done < buffer.count {
      let got = pread(number, buffer.baseAddress! + done, buffer.count - done, off_t(position) + off_t(done))
      if got < 0 {
        if errno == EINTR { continue }
        throw .current
      }
      if got == 0 { break }
      done += got
    }
    return done
  }

  borrowing func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws(ErrorNumber) {
    var done = 0
    while done < bytes.count {
      let put = pwrite(number, bytes.baseAddress! + done, bytes.count - done, off_t(position) + off_t(done))
      if put < 0 {
        if errno == EINTR { continue }
        throw .current
      }
      done += put
    }
  }

  borrowing func identity() throws(ErrorNumber) -> FileIdentity {
    var status = stat()
    if fstat(number, &status) != 0 { throw .current }
    return FileIdentity(status)
  }

  borrowing func size() throws(ErrorNumber) -> Int64 {
    var status = stat()
    if fstat(number, &status) != 0 { throw .current }
    return Int64(status.st_size)
  }

  borrowing func synchronize() throws(ErrorNumber) {
    #if canImport(Darwin)
      // fsync leaves the bytes in the drive's cache there. Some file systems know only fsync.
      if fcntl(number, F_FULLFSYNC) == 0 { return }
    #endif
    if fsync(number) != 0 { throw .current }
  }
}
