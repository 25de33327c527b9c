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
  /// - Parameter endsByItself: Nobody has to tell `body` to end, so where the system has no room for another thread it
  ///   is run before this returns.
  public init(endsByItself: Bool = false, _ body: @escaping @Sendable () -> Value) {
    let work = Work(body)
    self.work = work
    if !startThread({ work.run() }) {
      precondition(endsByItself, "the system has room for another thread")
      work.run()
    }
  }

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

/// Starts a thread that nobody joins; false when the system has no room for it.
private func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
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
      return false
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
      return false
    }
  #endif
  pthread_detach(thread)
  return true
}

/// Carries a closure through the `void *` of `pthread_create`.
private final class Box: Sendable {
  private let body: @Sendable () -> Void

  init(_ body: @escaping @Sendable () -> Void) { self.body = body }

  static func run(_ argument: UnsafeMutableRawPointer) {
    Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
  }
}
