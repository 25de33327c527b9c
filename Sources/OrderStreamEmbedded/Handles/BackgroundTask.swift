import Foundation

/// Work of one thread of its own, with a result that another thread waits for.
final class BackgroundTask<Value>: @unchecked Sendable {
  // `value` is touched only while `monitor` is locked.
  private let monitor = Monitor()
  private var value: Value?

  /// Starts at once. What `body` uses is its own until it has ended; nobody else touches it meanwhile.
  init(_ name: String, _ body: sending @escaping () -> Value) {
    let box = Box(body: body)
    let thread = Thread { [self] in
      let result = box.body()
      monitor.locked {
        value = result
        monitor.signalProgress()
      }
    }
    thread.name = name
    thread.start()
  }

  /// The result, however long it takes.
  func result() -> Value {
    monitor.locked {
      while true {
        if let value { return value }
        monitor.waitForProgress(until: nil)
      }
    }
  }

  /// The result; `nil` when there is none within `timeout`.
  func result(within timeout: Duration) -> Value? {
    let deadline = MachineClock.nanoseconds + timeout.nanoseconds
    return monitor.locked {
      while value == nil && MachineClock.nanoseconds < deadline { monitor.waitForProgress(until: deadline) }
      return value
    }
  }

  private struct Box: @unchecked Sendable {
    // Handed over once, to the thread that calls it.
    let body: () -> Value
  }
}
