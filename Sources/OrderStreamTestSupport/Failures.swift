import Foundation

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
