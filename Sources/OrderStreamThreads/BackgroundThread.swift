#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif
import Dispatch
import Synchronization

/// A thread of the operating system that runs one closure and hands its result over. Brokers and disks block, and what
/// blocks has no place on the pool of Swift's concurrency.
public final class BackgroundThread<Value: Sendable>: Sendable {
  private final class Work: Sendable {
    let body: @Sendable () -> Value
    let result = Mutex<Value?>(nil)
    let ended = DispatchSemaphore(value: 0)

    init(_ body: @escaping @Sendable () -> Value) { self.body = body }

    func run() {
      let value = body()
      result.withLock { $0 = value }
      ended.signal()
    }
  }

  private let work: Work

  /// Starts `body` at once.
  /// - Throws: when the system has no room for another thread. Nothing has run then, and nobody will end.
  public init(_ body: @escaping @Sendable () -> Value) throws(NoRoomForThread) {
    let work = Work(body)
    self.work = work
    let code = startThread { work.run() }
    if code != 0 { throw NoRoomForThread(code: code) }
  }

  /// Starts `body` at once, which nobody has to tell to end: where the system has no room for another thread it is run
  /// before this returns.
  public static func endingByItself(_ body: @escaping @Sendable () -> Value) -> BackgroundThread {
    let work = Work(body)
    if startThread({ work.run() }) != 0 { work.run() }
    return BackgroundThread(work)
  }

  private init(_ work: Work) { self.work = work }

  /// Waits until the body has returned, at most `timeout`; `nil` when it has not.
  public func join(_ timeout: Duration) -> Value? {
    let seconds = Double(timeout.components.seconds) + Double(timeout.components.attoseconds) / 1e18
    guard work.ended.wait(timeout: .now() + seconds) == .success else { return nil }
    // For the next one who asks.
    work.ended.signal()
    return work.result.withLock { $0 }
  }

  /// Waits until the body has returned.
  public func join() -> Value {
    work.ended.wait()
    work.ended.signal()
    guard let value = work.result.withLock({ $0 }) else { preconditionFailure("a body that has ended left a value") }
    return value
  }
}

/// The system did not start a thread.
public struct NoRoomForThread: Error, CustomStringConvertible {
  /// Of `pthread_create`.
  public let code: Int32

  public static let remedy = "end other processes, or raise the limits of this one (ulimit -u, ulimit -v)"

  public var description: String { "the system starts no more threads (\(String(cString: strerror(code))))" }
}

/// No room for threads, for tests that cannot fill a system.
package enum ThreadFault {
  @TaskLocal package static var hasNoRoom = false
}

/// Starts a thread that nobody joins; the error's number when there is none.
private func startThread(_ body: @escaping @Sendable () -> Void) -> Int32 {
  #if DEBUG
    if ThreadFault.hasNoRoom { return EAGAIN }
  #endif
  let box = Unmanaged.passRetained(Box(body))
  #if canImport(Darwin)
    var thread: pthread_t?
    let code = pthread_create(
      &thread, nil,
      {
        Box.run($0)
        return nil
      }, box.toOpaque())
    guard code == 0, let thread else {
      box.release()
      return code
    }
  #else
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Box.run(argument) }
        return nil
      }, box.toOpaque())
    guard code == 0 else {
      box.release()
      return code
    }
  #endif
  pthread_detach(thread)
  return 0
}

/// Carries a closure through the `void *` of `pthread_create`.
private final class Box: Sendable {
  private let body: @Sendable () -> Void

  init(_ body: @escaping @Sendable () -> Void) { self.body = body }

  static func run(_ argument: UnsafeMutableRawPointer) {
    Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
  }
}
