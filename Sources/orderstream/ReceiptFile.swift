import Dispatch
import OrderStreamCore
import OrderStreamThreads
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The file of `produce --receipt`. A run is appended behind those that are there; what is acknowledged is written and
/// synchronised once a second, by a thread of its own, and at the end.
///
/// Making one checks the file, before any work: it must be empty or hold receipts, and no other run may be writing it. A
/// file that was made for a run that never began is removed again.
final class ReceiptFile: Sendable {
  private static let interval = Duration.seconds(1)
  private static let headBytes = 64

  /// As the user named it.
  let path: String
  private let descriptor: Int32
  private let isNew: Bool
  private let state = Mutex(State())
  private let wake = DispatchSemaphore(value: 0)

  private struct State {
    /// `nil` before the run has begun.
    var recorder: ReceiptRecorder?
    var thread: BackgroundThread<Void>?
    /// Asked to stop the run when the file cannot be written.
    var stop: StopFlag?
    /// Lines that are not in the file yet; after an error, from the byte on that was not written.
    var pending = ByteBuffer()
    /// Records that are acknowledged by these lines and all before them.
    var pendingAcknowledged: Int64 = 0
    /// By what is in the file.
    var writtenAcknowledged: Int64 = 0
    var failure: CommandError?
    var isEnding = false
  }

  /// - Throws: `creation` when the file cannot be appended to, or holds something else; `temporary` while another run
  ///   writes it.
  init(_ path: String) throws(CommandError) {
    self.path = path
    var status = stat()
    isNew = stat(path, &status) != 0 && errno == ENOENT
    if !isNew, status.st_mode & S_IFMT != S_IFREG {
      throw Self.refusal(path, status.st_mode & S_IFMT == S_IFDIR ? FileDescriptor.message(EISDIR) : "it is no file")
    }
    descriptor = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0o666)
    if descriptor < 0 { throw Self.refusal(path, FileDescriptor.message(errno)) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      close(descriptor)
      guard code == EWOULDBLOCK else { throw Self.refusal(path, FileDescriptor.message(code)) }
      throw CommandError(
        .temporary, "cannot write \(path)", why: "another run writes its receipt into it",
        remedy: "name a file of its own for each run that goes on at the same time")
    }
    do {
      if let torn = try Self.look(descriptor, path) { state.withLock { if torn { $0.pending.append("\n") } } }
    } catch {
      close(descriptor)
      throw error
    }
  }

  deinit {
    if isNew, state.withLock({ $0.recorder == nil }) { unlink(path) }
    close(descriptor)
  }

  /// - Returns: Whether the last line lacks its line feed; `nil` for an empty file.
  private static func look(_ descriptor: Int32, _ path: String) throws(CommandError) -> Bool? {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw refusal(path, FileDescriptor.message(errno)) }
    if status.st_size == 0 { return nil }
    var head = [UInt8](repeating: 0, count: headBytes)
    let count = pread(descriptor, &head, head.count, 0)
    var last: UInt8 = 0
    guard count > 0, pread(descriptor, &last, 1, status.st_size - 1) == 1 else {
      throw refusal(path, FileDescriptor.message(errno))
    }
    guard head.prefix(count).withUnsafeBytes(Receipt.couldBegin) else {
      throw CommandError(
        .creation, "cannot append a receipt to \(path)", why: "it holds something else",
        remedy: "name a new file, or one that has receipts")
    }
    return last != UInt8(ascii: "\n")
  }

  private static func refusal(_ path: String, _ why: String) -> CommandError {
    CommandError(.creation, "cannot create \(path)", why: why, remedy: "choose a path that can be written")
  }

  // MARK: - The run

  /// What the producer of the run is to tell.
  func observer() -> ReceiptRecorder {
    ReceiptRecorder(overflow: { [weak self] in self?.write(synchronizes: false) })
  }

  /// Writes whose receipt it is, and goes on writing until `finish`.
  /// - Parameters:
  ///   - recorder: of `observer`.
  ///   - stop: is requested when the file cannot be written.
  /// - Throws: `io`. The run must not begin then.
  func begin(_ recorder: ReceiptRecorder, _ head: Receipt.Head, stop: StopFlag) throws(CommandError) {
    recorder.begin(head)
    state.withLock { ($0.recorder, $0.stop) = (recorder, stop) }
    write(synchronizes: true)
    if let failure = state.withLock({ $0.failure }) { throw failure }
    do {
      let thread = try BackgroundThread { [self] in writeOnceASecond() }
      state.withLock { $0.thread = thread }
    } catch {
      throw CommandError(.temporary, "cannot write \(path)", why: error.description, remedy: NoRoomForThread.remedy)
    }
  }

  /// Writes the end.
  /// - Parameter end: ends the receipt of the recorder; the producer is closed.
  /// - Returns: Why the file could not be written, and what is not in it; `nil` when all is.
  func finish(_ end: (ReceiptRecorder) -> Void) -> CommandError? {
    let (recorder, thread) = state.withLock { state in
      state.isEnding = true
      return (state.recorder, state.thread)
    }
    wake.signal()
    thread?.join()
    guard let recorder else { return nil }
    end(recorder)
    write(synchronizes: true, triesAgain: true)
    return state.withLock { state in
      guard var failure = state.failure else { return nil }
      let missing = recorder.soFar.acknowledged - state.writtenAcknowledged
      failure.addAdvice(
        missing > 0
          ? "up to \(missing) acknowledged records are not in it" : "what is acknowledged is in it all the same")
      return failure
    }
  }

  private func writeOnceASecond() {
    var next = DispatchTime.now()
    while true {
      next = next + .milliseconds(Int(Self.interval.milliseconds))
      _ = wake.wait(timeout: next)
      if state.withLock({ $0.isEnding }) { return }
      write(synchronizes: true)
      // A disk that took longer than that has the next lines at once, and not those of all turns that it missed.
      next = max(next, .now() - .milliseconds(Int(Self.interval.milliseconds)))
    }
  }

  /// Brings what there is into the file. After an error nothing is tried again but at the end.
  private func write(synchronizes: Bool, triesAgain: Bool = false) {
    state.withLock { state in
      guard let recorder = state.recorder, state.failure == nil || triesAgain else { return }
      state.pendingAcknowledged = recorder.takeLines(into: state.pending)
      if state.pending.isEmpty { return }
      var code = append(&state.pending)
      if code == 0 { state.writtenAcknowledged = state.pendingAcknowledged }
      if code == 0, synchronizes { code = synchronize() }
      guard code != 0, state.failure == nil else { return }
      state.failure = CommandError(
        .io, "cannot write \(path)", why: FileDescriptor.message(code), remedy: "make room or choose another path")
      state.stop?.request()
    }
  }

  /// - Returns: 0, or the `errno` of the write that failed; then what was not written is left.
  private func append(_ bytes: inout ByteBuffer) -> Int32 {
    var rest = bytes.bytes[...]
    while !rest.isEmpty {
      let part = UnsafeRawBufferPointer(rebasing: rest)
      let count = systemWrite(descriptor, part.baseAddress, min(part.count, FileDescriptor.chunkBytes))
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno != EINTR {
        let code = errno
        let left = ByteBuffer(capacity: rest.count)
        left.append(UnsafeRawBufferPointer(rebasing: rest))
        bytes = left
        return code
      }
    }
    bytes.removeAll()
    return 0
  }

  private func synchronize() -> Int32 {
    #if canImport(Darwin)
      return FileDescriptor.synchronize(descriptor)
    #else
      return fdatasync(descriptor) == 0 ? 0 : errno
    #endif
  }
}

/// `write(2)`, which the method of that name would hide.
private let systemWrite: @Sendable (Int32, UnsafeRawPointer?, Int) -> Int = { write($0, $1, $2) }
