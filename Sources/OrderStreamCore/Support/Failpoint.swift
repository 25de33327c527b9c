#if DEBUG
  import Synchronization
#endif

/// Places where a crash test may end the process: before and after every step that must not be half done. Only debug
/// builds have them; in release builds a place costs nothing.
///
/// The executable arms them from `ORDERSTREAM_FAILPOINT=<n>`: the n-th place that the process reaches ends it with
/// SIGKILL. A test sweeps n from 1 until a run finishes without being killed.
public enum Failpoint {
  #if DEBUG
    /// Places to pass before the process ends; 0 or less: not armed.
    private static let countdown = Atomic<Int>(0)
    private static let action = Mutex<(@Sendable (StaticString) -> Void)?>(nil)

    /// - Parameters:
    ///   - place: 1-based number of the place, in the order in which the process reaches them.
    ///   - action: what ends the process; gets the name of the place.
    public static func arm(place: Int, action: @escaping @Sendable (StaticString) -> Void) {
      self.action.withLock { $0 = action }
      countdown.store(place, ordering: .sequentiallyConsistent)
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
      if countdown.subtract(1, ordering: .sequentiallyConsistent).newValue == 0 { action.withLock { $0 }?(name) }
    }
  #endif
}
