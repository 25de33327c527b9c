import Foundation

/// Starts the built binary. One spawn at a time, so that no child inherits a descriptor that another test has just made.
package enum Spawn {
  package static let lock = NSLock()

  /// The `orderstream` that was built with the tests: it lies beside their bundle.
  package static let binary: String = {
    let start = Bundle(for: BundleMark.self).bundleURL
    let places = [start, start.deletingLastPathComponent(), Bundle.main.bundleURL]
    let paths = places.map { $0.appendingPathComponent("orderstream").path }
    guard let path = paths.first(where: FileManager.default.isExecutableFile) else {
      preconditionFailure("orderstream is built beside the tests, looked at \(paths)")
    }
    return path
  }()

  private final class BundleMark {}

  package struct Plan {
    package var arguments: [String]
    package var environment: [String: String]
    package var directory: String
    /// Descriptors of the parent that become 0, 1 and 2 of the child; `nil` starts it with that one closed.
    package var streams: [Int32?]
    /// A shell command that runs first in the child, such as `ulimit -v 1000000`.
    package var prelude: String?
  }

  /// - Returns: the id of the child; the shell that sets it up has become the binary by `exec`.
  package static func start(_ plan: Plan) throws -> pid_t {
    #if canImport(Darwin)
      var actions: posix_spawn_file_actions_t?
      var attributes: posix_spawnattr_t?
    #else
      var actions = posix_spawn_file_actions_t()
      var attributes = posix_spawnattr_t()
    #endif
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (number, stream) in plan.streams.enumerated() {
      if let stream { posix_spawn_file_actions_adddup2(&actions, stream, Int32(number)) }
    }
    for (number, stream) in plan.streams.enumerated() where stream == nil {
      posix_spawn_file_actions_addclose(&actions, Int32(number))
    }
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    for number in [SIGINT, SIGTERM, SIGPIPE, SIGQUIT, SIGHUP] { sigaddset(&signals, number) }
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    let setUp = #"cd -- "$0" && "# + (plan.prelude.map { "\($0) && " } ?? "") + #"exec "$@""#
    let words = ["sh", "-c", setUp, plan.directory, binary] + plan.arguments
    let environment = plan.environment.map { "\($0)=\($1)" }
    var pid: pid_t = 0
    let code = withCStrings(words) { words in
      withCStrings(environment) { posix_spawn(&pid, "/bin/sh", &actions, &attributes, words, $0) }
    }
    guard code == 0 else { throw HarnessError("cannot start a child: \(String(cString: strerror(code)))") }
    return pid
  }

  private static func withCStrings<R>(_ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> R) -> R {
    let pointers = texts.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    return body(pointers + [nil])
  }
}

/// Why a test could not do what it wanted; never the product's fault alone.
package struct HarnessError: Error, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}

/// A pipe whose ends no child inherits.
package struct PipeEnds {
  package let read: Int32
  package let write: Int32

  package init() throws {
    var ends: [Int32] = [0, 0]
    let made = Spawn.lock.withLock {
      guard pipe(&ends) == 0 else { return false }
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      return true
    }
    guard made else { throw HarnessError("cannot make a pipe") }
    (read, write) = (ends[0], ends[1])
  }
}

/// A terminal for a child. What it is shown comes together here.
package final class PseudoTerminal {
  /// The child's side; give it away as one or more of its streams.
  package let childSide: Int32
  private let ourSide: Int32
  package private(set) var bytes: [UInt8] = []
  /// What a person sees of it.
  package private(set) var model: TerminalModel

  package init(columns: Int = 100, rows: Int = 40) throws {
    model = TerminalModel(columns: columns, rows: rows)
    var (ours, theirs): (Int32, Int32) = (-1, -1)
    var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
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

  /// Gives the window another size.
  package func resize(columns: Int, rows: Int) throws {
    drain()
    model.resize(columns: columns, rows: rows)
    var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
    guard ioctl(ourSide, UInt(TIOCSWINSZ), &size) == 0 else { throw HarnessError("cannot resize a terminal") }
  }

  /// Takes what a child that has ended has written: the system hands it over a little later.
  package func drainLast() {
    var request = pollfd(fd: ourSide, events: Int16(POLLIN), revents: 0)
    while poll(&request, 1, 20) == 1, request.revents & Int16(POLLIN) != 0 { drain() }
  }

  /// Takes what is there, so that the child never waits for us.
  package func drain() {
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = read(ourSide, &buffer, buffer.count)
      if count <= 0 { return }
      bytes += buffer[..<count]
      model.feed(buffer[..<count])
    }
  }
}
