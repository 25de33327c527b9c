import OrderStreamThreads

/// A block on a thread of its own, for members that run side by side.
public final class BackgroundRun<Success: Sendable>: Sendable {
  private let thread: BackgroundThread<Result<Success, any Error>>

  public init(_ body: @escaping @Sendable () throws -> Success) {
    do { thread = try BackgroundThread { Result { try body() } } } catch {
      preconditionFailure("a test has room for a thread: \(error)")
    }
  }

  /// Waits for the end, for at most a minute.
  public func join() throws -> Success {
    guard let result = thread.join(.seconds(60)) else { throw RunNeverEnded() }
    return try result.get()
  }
}

public struct RunNeverEnded: Error {}
