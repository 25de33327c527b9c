import Foundation
import Testing

/// A running `orderstream`. Its stdout and stderr are files, so that no amount of output can block it. One that a test
/// leaves behind is killed.
package final class Child {
  /// Long enough for a busy machine, short enough that nothing hangs.
  package static let limit: Duration = .seconds(60)

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

  /// Whether it stands still, as after Ctrl-Z.
  package var isStopped: Bool {
    var information = siginfo_t()
    return waitid(P_PID, id_t(pid), &information, WSTOPPED | WNOHANG | WNOWAIT) == 0 && information.si_signo == SIGCHLD
  }

  /// Waits until `condition` holds; fails when the child ends or the time is over before that.
  package func wait(for what: String, within limit: Duration = limit, _ condition: () throws -> Bool) throws {
    try eventually(what, within: limit, about: { "\(command)\n\(output)\(errors)" }) {
      if try condition() { return true }
      if !isRunning, try !condition() { throw HarnessError("\(command) ended before \(what)\n\(output)\(errors)") }
      return false
    }
  }

  /// Waits for the end. A child that takes longer is killed, and the test fails.
  @discardableResult
  package func end(within limit: Duration = limit) throws -> Outcome {
    do {
      try eventually("the end of \(command)", within: limit, about: { output + errors }) { !isRunning }
    } catch {
      kill(pid, SIGKILL)
      throw error
    }
    terminal?.drainLast()
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
  _ what: String, within limit: Duration = Child.limit, about: () -> String = { "" }, _ condition: () throws -> Bool
) throws {
  let deadline = ContinuousClock.now + limit
  while try !condition() {
    if ContinuousClock.now >= deadline { throw HarnessError("\(what): not within \(limit)\n\(about())") }
    usleep(1000)
  }
}

/// How a child ended and what it said.
package struct Outcome: CustomStringConvertible {
  /// The exit code; 1000 + the signal when one killed it.
  package let code: Int32
  package let output: [UInt8]
  package let errors: String
  private let command: String

  package init(command: String, status: Int32, output: [UInt8], errors: [UInt8]) {
    self.command = command
    code = status & 0x7f == 0 ? (status >> 8) & 0xff : 1000 + (status & 0x7f)
    self.output = output
    self.errors = String(decoding: errors, as: UTF8.self)
  }

  package var text: String { String(decoding: output, as: UTF8.self) }

  /// The lines of stdout; every one of them has its line feed.
  package var lines: [String] {
    text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
  }

  /// The lines of stderr that are errors.
  package var errorLines: [String] {
    errors.split(separator: "\n").map(String.init).filter { $0.hasPrefix("error: ") }
  }

  /// stdout as one JSON document on one line, which is as its schema says.
  package var document: JSON {
    get throws {
      guard output.last == 0x0A, output.filter({ $0 == 0x0A }).count == 1 else {
        throw HarnessError("stdout is not one document on one line: \(self)")
      }
      let problems = Schemas.shared.problems(of: output)
      guard problems.isEmpty else { throw HarnessError("\(problems.joined(separator: "\n"))\n\(self)") }
      return try JSON(parsing: output)
    }
  }

  package var description: String {
    let shown = text.count > 2000 ? "\(text.prefix(2000))…" : text
    return "\(command)\nexit code \(code)\nstdout: \(shown)\nstderr: \(errors.prefix(4000))"
  }
}
