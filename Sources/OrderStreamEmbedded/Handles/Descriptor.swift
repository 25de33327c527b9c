import CCRC32C
import CWriteBack
import Foundation
import OrderStreamCore

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

  /// Writes the pieces one after another from `position` on.
  borrowing func write(_ pieces: [UnsafeRawBufferPointer], at position: Int64) throws(ErrorNumber) {
    // As many as every system takes in one call.
    let mostPieces = 512
    var vectors = pieces.compactMap { piece in
      piece.isEmpty ? nil : iovec(iov_base: UnsafeMutableRawPointer(mutating: piece.baseAddress), iov_len: piece.count)
    }
    var first = 0
    var at = off_t(position)
    while first < vectors.count {
      let count = min(mostPieces, vectors.count - first)
      let put = vectors.withUnsafeBufferPointer { pwritev(number, $0.baseAddress! + first, Int32(count), at) }
      if put < 0 {
        if errno == EINTR { continue }
        throw .current
      }
      at += off_t(put)
      var rest = put
      while first < vectors.count, rest >= vectors[first].iov_len {
        rest -= vectors[first].iov_len
        first += 1
      }
      if rest > 0 {
        vectors[first].iov_base += rest
        vectors[first].iov_len -= rest
      }
    }
  }

  /// Has the kernel begin to bring written bytes to the disk, where it can be told to: what synchronises them later then
  /// waits for less. Promises nothing.
  borrowing func beginWriteBack(at position: Int64, count: Int) {
    write_back_begin(number, position, Int64(count))
  }

  borrowing func truncate(to length: Int64) throws(ErrorNumber) {
    while ftruncate(number, off_t(length)) != 0 {
      if errno != EINTR { throw .current }
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

  /// The content and the length, not the times.
  borrowing func synchronizeData() throws(ErrorNumber) {
    #if canImport(Darwin)
      try synchronize()
    #else
      if fdatasync(number) != 0 { throw .current }
    #endif
  }
}

/// Which file a name means: names change hands, files do not.
struct FileIdentity: Sendable, Hashable {
  private let device: UInt64
  private let node: UInt64

  init(_ status: stat) {
    device = UInt64(truncatingIfNeeded: status.st_dev)
    node = UInt64(truncatingIfNeeded: status.st_ino)
  }

  /// A number that another file does not have, as good as surely; never 0.
  var checksum: UInt32 {
    let crc = withUnsafeBytes(of: (device.littleEndian, node.littleEndian)) {
      crc32c_extend(0, $0.baseAddress, $0.count)
    }
    return max(crc, 1)
  }

  /// The file that has that name now; `nil` when there is none, or none that can be looked at.
  init?(at path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    self.init(status)
  }
}

/// The files that an open log consists of. A log that was removed, moved or replaced while it was open goes on working
/// for whoever has it open, and for nobody else: what is committed to it then is on no log. So every commit, and readers
/// now and then, ask whether the names still mean these files. It costs microseconds.
struct OpenFiles: Sendable, Hashable {
  private let directory: LogDirectory
  /// In the order of `names`.
  private let files: [FileIdentity?]

  private static func names(_ directory: LogDirectory) -> [String] {
    [
      directory.database, directory.writeAhead, directory.sharedIndex, directory.marks, directory.turnLock,
      directory.writeLock, directory.segments,
    ]
  }

  /// The files as they are right after they were opened; SQLite keeps its three open as long as the log is.
  /// - Parameter opened: identities of files that were opened here, by name.
  init(_ directory: LogDirectory, opened: [String: FileIdentity]) {
    self.directory = directory
    files = Self.names(directory).map { opened[$0] ?? FileIdentity(at: $0) }
  }

  /// - Throws: `io` when a name means another file by now, or none.
  func check(_ what: @autoclosure () -> String) throws(BrokerError) {
    for (name, file) in zip(Self.names(directory), files) {
      let now = FileIdentity(at: name)
      // One that was not there at the start, or cannot be looked at, proves nothing.
      if let file, now != file { throw Self.replaced(directory, name, isGone: now == nil, what()) }
    }
  }

  /// - Throws: `io` when the names mean other files than those of `others`, with which one log is worked on.
  func check(sameAs others: OpenFiles, _ what: @autoclosure () -> String) throws(BrokerError) {
    for (index, name) in Self.names(directory).enumerated() where files[index] != others.files[index] {
      throw Self.replaced(directory, name, isGone: false, what())
    }
  }

  private static func replaced(
    _ directory: LogDirectory, _ name: String, isGone: Bool, _ what: String
  ) -> BrokerError {
    let file = name.dropFirst(directory.path.count + 1)
    return BrokerError(
      .io, what,
      why: "the log \(directory.path) was \(isGone ? "removed or moved" : "replaced") while it was in use (\(file))",
      remedy: "none of this was kept; put the log back, or run again to start with the one that is there now")
  }
}
