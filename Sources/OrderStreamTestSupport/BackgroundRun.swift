import Foundation

/// A block on a thread of its own, for members that run side by side.
public final class BackgroundRun<Success: Sendable>: @unchecked Sendable {
  // `result` is written before `done` is signalled and read after it.
  private var result: Result<Success, any Error>?
  private let done = DispatchSemaphore(value: 0)

  public init(_ body: @escaping @Sendable () throws -> Success) {
    let thread = Thread { [self] in
      result = Result { try body() }
      done.signal()
    }
    thread.stackSize = 8 << 20
    thread.start()
  }

  /// Waits for the end, for at most a minute.
  public func join() throws -> Success {
    guard done.wait(timeout: .now() + 60) == .success, let result else { throw RunNeverEnded() }
    return try result.get()
  }
}

public struct RunNeverEnded: Error {}
