#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif
import Synchronization

/// A thread of its own for calls that block, which have no place on the cooperative pool.
final class BackgroundThread: Sendable {
  private let finished = Finished()

  /// Starts `body` at once.
  init(_ body: @escaping @Sendable () -> Void) {
    let box = Box { [finished] in
      body()
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

  /// Waits until the body has returned, at most `timeout`; says whether it has.
  func join(_ timeout: Duration) -> Bool { finished.wait(timeout) }

  private final class Box: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}
