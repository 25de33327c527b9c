import Foundation
import OrderStreamCore

/// The machine's clocks.
public struct SystemTime: TimeSource {
  public init() {}

  public var monotonicNanoseconds: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  public var wallMilliseconds: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

  public func sleep(_ duration: Duration) { usleep(UInt32(clamping: duration.nanoseconds / 1000)) }
}

/// A clock by which a second passes in a tenth of one.
public struct FastTime: TimeSource {
  private let time = SystemTime()

  public init() {}

  public var wallMilliseconds: Int64 { time.wallMilliseconds }
  public var monotonicNanoseconds: Int64 { time.monotonicNanoseconds * 10 }
  public func sleep(_ duration: Duration) { time.sleep(duration / 10) }
}
