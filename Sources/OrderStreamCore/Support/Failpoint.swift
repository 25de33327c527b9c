#if DEBUG
  import Synchronization
#endif

/// Places where a crash test may end the process: before and after every step that must not be half done. Only debug
/// builds have them; in release builds a place costs nothing.
///
/// The executable arms them from `ORDERSTREAM_FAILPOINT`: `<n>`, and the n-th place that the process reaches ends it
/// with SIGKILL, or `<name>`, and the first place of that name does. A test sweeps n from 1 until a run finishes without
/// being killed. `ORDERSTREAM_FAILPOINT_SIGNAL` is another signal, such as SIGSTOP.
public enum Failpoint {
  #if DEBUG
    /// Places to pass before the process ends; 0 or less: not armed.
    private static let countdown = Atomic<Int>(0)
    private static let plan = Mutex(Plan())

    private struct Plan {
      var name: String?
      var action: (@Sendable (StaticString) -> Void)?
    }

    /// - Parameters:
    ///   - place: 1-based number of the place, in the order in which the process reaches them.
    ///   - action: what ends the process; gets the name of the place.
    public static func arm(place: Int, action: @escaping @Sendable (StaticString) -> Void) {
      plan.withLock { $0 = Plan(action: action) }
      countdown.store(place, ordering: .sequentiallyConsistent)
    }

    /// - Parameter name: of the place; the first one of that name counts.
    public static func arm(name: String, action: @escaping @Sendable (StaticString) -> Void) {
      plan.withLock { $0 = Plan(name: name, action: action) }
      countdown.store(.max, ordering: .sequentiallyConsistent)
    }
  #endif

  /// Marks a place. `name` tells where a killed process was: `commit/before`.
  @inline(__always)
  public static func reach(_ name: StaticString) {
    #if DEBUG
      if countdown.load(ordering: .relaxed) > 0 { count(name) }
    #endif
  }

  #if DEBUG
    private static func count(_ name: StaticString) {
      let plan = plan.withLock { $0 }
      if let wanted = plan.name {
        if wanted == "\(name)", countdown.exchange(0, ordering: .sequentiallyConsistent) > 0 { plan.action?(name) }
      } else if countdown.subtract(1, ordering: .sequentiallyConsistent).newValue == 0 {
        plan.action?(name)
      }
    }
  #endif
}
