import Foundation
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A running `orderstream`. Its stdout and stderr are files, so that no amount of output can block it. One that a test
/// leaves behind is killed.
package final class Child {
  /// Long enough for a busy machine, short enough that nothing hangs.
  package static let patience: Duration = .seconds(60)

  package let pid: pid_t
  private let command: String
  private let outputFile: String
  private let errorFile: String
  private let terminal: PseudoTerminal?
  /// The directory in which all of this lies.
  private let place: AnyObject
  private var status: Int32?

  package init(
    _ plan: Spawn.Plan, outputFile: String, errorFile: String, terminal: PseudoTerminal?, place: AnyObject
  ) throws {
    pid = try Spawn.start(plan)
    command = "orderstream " + plan.arguments.joined(separator: " ")
    self.outputFile = outputFile
    self.errorFile = errorFile
    self.terminal = terminal
    self.place = place
  }

  deinit {
    if status == nil {
      kill(pid, SIGKILL)
      var ignored: Int32 = 0
      waitpid(pid, &ignored, 0)
    }
  }

  /// stdout so far.
  package var output: String { String(decoding: Self.bytes(outputFile), as: UTF8.self) }
  /// stderr so far.
  package var errors: String { String(decoding: Self.bytes(errorFile), as: UTF8.self) }
  /// The whole lines of stdout so far.
  package var lines: [String] {
    output.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
  }

  package func send(_ signal: Int32) {
    if isRunning { kill(pid, signal) }
  }

  package var isRunning: Bool {
    if status != nil { return false }
    terminal?.drain()
    var found: Int32 = 0
    if waitpid(pid, &found, WNOHANG) == pid { status = found }
    return status == nil
  }

  /// Waits until `condition` holds; fails when the child ends or the time is over before that.
  package func wait(for what: String, within limit: Duration = patience, _ condition: () throws -> Bool) throws {
    try eventually(what, within: limit, about: { "\(command)\n\(output)\(errors)" }) {
      if try condition() { return true }
      if !isRunning, try !condition() { throw HarnessError("\(command) ended before \(what)\n\(output)\(errors)") }
      return false
    }
  }

  /// Waits for the end. A child that takes longer is killed, and the test fails.
  @discardableResult
  package func end(within limit: Duration = patience) throws -> Outcome {
    do {
      try eventually("the end of \(command)", within: limit, about: { output + errors }) { !isRunning }
    } catch {
      kill(pid, SIGKILL)
      throw error
    }
    terminal?.drain()
    return Outcome(command: command, status: status ?? 0, output: Self.bytes(outputFile), errors: Self.bytes(errorFile))
  }

  /// SIGKILL, and the end of it.
  package func destroy() throws {
    send(SIGKILL)
    try end()
  }

  private static func bytes(_ path: String) -> [UInt8] {
    path.isEmpty ? [] : (try? Data(contentsOf: URL(fileURLWithPath: path))).map(Array.init) ?? []
  }
}

/// Waits until `condition` holds, and throws when it does not within the limit.
package func eventually(
  _ what: String, within limit: Duration = Child.patience, about: () -> String = { "" }, _ condition: () throws -> Bool
) throws {
  let deadline = ContinuousClock.now + limit
  while try !condition() {
    if ContinuousClock.now >= deadline { throw HarnessError("\(what): not within \(limit)\n\(about())") }
    usleep(1000)
  }
}
