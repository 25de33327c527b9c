import Foundation
import OrderStreamThreads

/// A block on a thread of its own, for members that run side by side.
public final class BackgroundRun<Success: Sendable>: Sendable {
  private let thread: BackgroundThread<Result<Success, any Error>>

  public init(_ body: @escaping @Sendable () throws -> Success) {
    do { thread = try BackgroundThread { Result { try body() } } } catch {
      preconditionFailure("a test has room for a thread: \(error)")
    }
  }

  /// Waits for the end.
  public func join(within limit: Duration = .seconds(60)) throws -> Success {
    guard let result = thread.join(limit) else { throw RunNeverEnded() }
    return try result.get()
  }
}

public struct RunNeverEnded: Error {}

/// What went wrong in threads that a test started, and how many of them are done.
public final class Failures: @unchecked Sendable {
  // Both members are touched only while `condition` is locked.
  private let condition = NSCondition()
  private var errors: [String] = []
  private var finished = 0

  public init() {}

  public var all: [String] {
    condition.lock()
    defer { condition.unlock() }
    return errors
  }

  public func catching(_ body: () throws -> Void) {
    do {
      try body()
    } catch {
      condition.lock()
      errors.append("\(error)")
      condition.unlock()
    }
  }

  /// Each thread says this once, at its end.
  public func finish() {
    condition.lock()
    finished += 1
    condition.broadcast()
    condition.unlock()
  }

  public func wait(for count: Int) {
    condition.lock()
    while finished < count { condition.wait() }
    condition.unlock()
  }
}
