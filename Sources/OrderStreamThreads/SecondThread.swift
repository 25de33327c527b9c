#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif
import Dispatch

/// A thread that does the same work again and again, each time beside the one that wants it done. Waking it costs some
/// 50 µs, and nothing is allocated for that.
///
/// Used by one thread at a time; ends with its owner.
public final class SecondThread {
  /// Each side touches it only while the other one waits.
  private final class Share: @unchecked Sendable {
    let wanted = DispatchSemaphore(value: 0)
    let done = DispatchSemaphore(value: 0)
    let work: () -> Void
    var isClosing = false

    init(_ work: @escaping () -> Void) { self.work = work }
  }

  private let share: Share

  /// `nil` on a machine of one core, and where the system has no room for another thread.
  /// - Parameter work: The second thread's part. What it touches must bear that the caller of `run` works beside it.
  public init?(_ work: @escaping () -> Void) {
    guard sysconf(Int32(_SC_NPROCESSORS_ONLN)) > 1 else { return nil }
    let share = Share(work)
    self.share = share
    do {
      _ = try BackgroundThread {
        while true {
          share.wanted.wait()
          if share.isClosing { return }
          share.work()
          share.done.signal()
        }
      }
    } catch {
      return nil
    }
  }

  deinit {
    share.isClosing = true
    share.wanted.signal()
  }

  /// Has the second thread work while `own` runs here, and returns when both have returned.
  public func run(beside own: () -> Void) {
    share.wanted.signal()
    own()
    share.done.wait()
  }
}
