import Dispatch
import OrderStreamCore

/// Tells one thread that another one is done.
final class Finished: Sendable {
  private let semaphore = DispatchSemaphore(value: 0)

  func signal() { semaphore.signal() }

  /// Waits at most `timeout`; says whether the signal came. A signal is seen once.
  func wait(_ timeout: Duration) -> Bool {
    semaphore.wait(timeout: .now() + .nanoseconds(Int(clamping: timeout.nanoseconds))) == .success
  }
}
