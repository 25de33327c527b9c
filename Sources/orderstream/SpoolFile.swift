import OrderStreamCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A temporary file without a name: nobody finds it, and the system frees it however the process ends.
final class SpoolFile: WitnessStorage {
  private struct Descriptor: ~Copyable {
    let number: Int32
    deinit { close(number) }
  }

  private let descriptor: Descriptor
  private let directory: String

  /// In `TMPDIR`, else in `/tmp`.
  /// - Throws: `creation`.
  init() throws(CommandError) {
    let wanted = ProcessEnvironment.lookup("TMPDIR").flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
    directory = wanted
    var template = Array("\(wanted)/orderstream-XXXXXX".utf8CString)
    let number = mkstemp(&template)
    if number < 0 {
      throw CommandError(
        .creation, "cannot make a temporary file in \(wanted)", why: FileDescriptor.message(errno),
        remedy: "name another directory with TMPDIR")
    }
    descriptor = Descriptor(number: number)
    unlink(template)
    _ = fcntl(number, F_SETFD, FD_CLOEXEC)
  }

  func read(into bytes: UnsafeMutableRawBufferPointer, at position: Int64) throws(BrokerError) {
    try transfer("read", bytes.count) { done in
      pread(descriptor.number, bytes.baseAddress! + done, bytes.count - done, off_t(position) + off_t(done))
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws(BrokerError) {
    try transfer("write", bytes.count) { done in
      pwrite(descriptor.number, bytes.baseAddress! + done, bytes.count - done, off_t(position) + off_t(done))
    }
  }

  /// - Parameter step: Moves some bytes behind those that are done, and returns how many; below 0 with the reason in `errno`.
  private func transfer(_ what: String, _ count: Int, _ step: (_ done: Int) -> Int) throws(BrokerError) {
    var done = 0
    while done < count {
      let moved = step(done)
      if moved > 0 {
        done += moved
      } else if moved == 0 || errno != EINTR {
        throw failure(what, moved == 0 ? EIO : errno)
      }
    }
  }

  private func failure(_ what: String, _ code: Int32) -> BrokerError {
    let isFull = code == ENOSPC || code == EDQUOT || code == EFBIG
    return BrokerError(
      isFull ? .diskFull : .io, "cannot \(what) what was seen: the temporary file in \(directory)",
      why: FileDescriptor.message(code), remedy: isFull ? "make room there, or name another directory with TMPDIR" : "")
  }
}
