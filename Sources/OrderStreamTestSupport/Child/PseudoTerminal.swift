#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A terminal of 100 columns for a child. What it is shown comes together here.
package final class PseudoTerminal {
  /// The child's side; give it away as one or more of its streams.
  package let childSide: Int32
  private let ourSide: Int32
  package private(set) var bytes: [UInt8] = []

  package init() throws {
    var (ours, theirs): (Int32, Int32) = (-1, -1)
    var size = winsize(ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0)
    let made = Spawn.lock.withLock {
      guard openpty(&ours, &theirs, nil, nil, &size) == 0 else { return false }
      for end in [ours, theirs] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      return true
    }
    guard made else { throw HarnessError("cannot make a terminal") }
    _ = fcntl(ours, F_SETFL, O_NONBLOCK)
    (ourSide, childSide) = (ours, theirs)
  }

  deinit {
    close(ourSide)
    close(childSide)
  }

  package var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Takes what is there, so that the child never waits for us.
  package func drain() {
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = read(ourSide, &buffer, buffer.count)
      if count <= 0 { return }
      bytes += buffer[..<count]
    }
  }
}
