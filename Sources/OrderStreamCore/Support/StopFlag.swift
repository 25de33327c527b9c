import Synchronization

/// A request to stop, set once from anywhere (a signal, another thread) and looked at between batches.
public final class StopFlag: Sendable {
  private let requested = Atomic<Bool>(false)

  public init() {}

  public var isRequested: Bool { requested.load(ordering: .acquiring) }

  public func request() { requested.store(true, ordering: .releasing) }
}
