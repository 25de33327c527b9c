import OrderStreamCore
import OrderStreamTestSupport

/// A second passes in a tenth of one.
struct FastTime: TimeSource {
  private let time = SystemTime()
  var wallMilliseconds: Int64 { time.wallMilliseconds }
  var monotonicNanoseconds: Int64 { time.monotonicNanoseconds * 10 }
  func sleep(_ duration: Duration) { time.sleep(duration / 10) }
}
