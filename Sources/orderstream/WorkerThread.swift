import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A thread of the operating system that runs one closure and hands its result over. Brokers block, so their work stays
/// off the pool of Swift's concurrency.
final class WorkerThread<Value: Sendable>: Sendable {
  private final class Work: Sendable {
    let body: @Sendable () -> Value
    let result = Mutex<Value?>(nil)

    init(_ body: @escaping @Sendable () -> Value) { self.body = body }

    func run() {
      let value = body()
      result.withLock { $0 = value }
    }
  }

  /// `pthread_t` is a pointer on some systems and a number on others; it is only handed back to `pthread_join`.
  private struct Handle: @unchecked Sendable {
    // Written once, before anybody else sees it.
    let thread: pthread_t
  }

  private let work: Work
  private let handle: Handle

  init(_ body: @escaping @Sendable () -> Value) {
    work = Work(body)
    let run: @Sendable () -> Void = { [work] in work.run() }
    let argument = Unmanaged.passRetained(Box(run)).toOpaque()
    #if canImport(Darwin)
      var thread: pthread_t?
      let code = pthread_create(
        &thread, nil,
        {
          Box.run($0); return nil
        }, argument)
      guard code == 0, let thread else { preconditionFailure("a thread can be made: \(code)") }
    #else
      var thread = pthread_t()
      let code = pthread_create(
        &thread, nil,
        { argument in
          if let argument { Box.run(argument) }
          return nil
        }, argument)
      precondition(code == 0, "a thread can be made")
    #endif
    handle = Handle(thread: thread)
  }

  /// Waits for the closure and returns its result. Call it exactly once.
  func join() -> Value {
    pthread_join(handle.thread, nil)
    guard let value = work.result.withLock({ $0 }) else {
      preconditionFailure("a thread that was joined has left its result")
    }
    return value
  }
}

/// Carries a closure through the `void *` of `pthread_create`.
private final class Box: Sendable {
  private let body: @Sendable () -> Void

  init(_ body: @escaping @Sendable () -> Void) { self.body = body }

  static func run(_ argument: UnsafeMutableRawPointer) {
    Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
  }
}
