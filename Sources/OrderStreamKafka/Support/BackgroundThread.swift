#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif
import Synchronization

/// A thread of its own for calls that block, which have no place on the cooperative pool.
final class BackgroundThread<Value: Sendable>: Sendable {
  private final class Result: Sendable {
    let value = Mutex<Value?>(nil)
  }

  private let finished = Finished()
  private let result = Result()

  /// Starts `body` at once.
  init(_ body: @escaping @Sendable () -> Value) {
    let box = Box { [finished, result] in
      let value = body()
      result.value.withLock { $0 = value }
      finished.signal()
    }
    let opaque = Unmanaged.passRetained(box).toOpaque()
    #if canImport(Glibc)
      var thread = pthread_t()
      let result = pthread_create(
        &thread, nil,
        { opaque in
          Unmanaged<Box>.fromOpaque(opaque!).takeRetainedValue().body()
          return nil
        }, opaque)
      precondition(result == 0, "the system has no room for another thread")
      pthread_detach(thread)
    #else
      var thread: pthread_t?
      let result = pthread_create(
        &thread, nil,
        { opaque in
          Unmanaged<Box>.fromOpaque(opaque).takeRetainedValue().body()
          return nil
        }, opaque)
      precondition(result == 0, "the system has no room for another thread")
      pthread_detach(thread!)
    #endif
  }

  /// Waits until the body has returned, at most `timeout`, and hands its value over, once.
  func join(_ timeout: Duration) -> Value? {
    finished.wait(timeout) ? result.value.withLock { $0.take() } : nil
  }
}

/// Carries a closure through the `void *` of `pthread_create`.
private final class Box: Sendable {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
