import Foundation
import OrderStreamCore

/// A process that was started and waited for.
struct ChildProcess {
  var milliseconds: Double
  /// User and system, of all threads.
  var processorMilliseconds: Double
  /// The largest resident set. The kernel counts from before the new program replaced the copy of this one, so it is
  /// never below this process's own: children are measured before this process has grown.
  var peakMegabytes: Double
  /// What it had the kernel write to the disk; 0 where that is not counted.
  var writtenBytes: Int64

  /// Runs a program with no input and no output.
  static func run(_ program: String, _ arguments: [String], in directory: String) throws -> ChildProcess {
    let start = SystemTime().monotonicNanoseconds
    let process = try spawn(program, arguments, in: directory)
    let (status, usage) = wait(for: process)
    let end = SystemTime().monotonicNanoseconds
    guard status == 0 else {
      let said = (try? String(contentsOfFile: "\(directory)/stderr.txt", encoding: .utf8)) ?? ""
      throw BenchError("\(program) \(arguments.joined(separator: " ")) failed: \(said)")
    }
    #if os(macOS)
      let bytes = Double(usage.ru_maxrss)
    #else
      let bytes = Double(usage.ru_maxrss) * 1024
    #endif
    return ChildProcess(
      milliseconds: Double(end - start) / 1e6,
      processorMilliseconds: milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime), peakMegabytes: bytes / 1e6,
      // In blocks of 512 bytes (getrusage(2)).
      writtenBytes: Int64(usage.ru_oublock) * 512)
  }

  /// Starts a program, and kills it with SIGKILL once `condition` holds.
  static func runUntilKilled(
    _ program: String, _ arguments: [String], in directory: String, when condition: () throws -> Bool
  ) throws {
    let process = try spawn(program, arguments, in: directory)
    let found = Result {
      while try !condition() {
        // Looks, and leaves it to be waited for.
        var ended = siginfo_t()
        guard waitid(P_PID, id_t(process), &ended, WEXITED | WNOHANG | WNOWAIT) == 0, ended.si_signo == 0 else {
          throw BenchError("\(program) ended before it was killed")
        }
        usleep(2000)
      }
    }
    kill(process, SIGKILL)
    _ = wait(for: process)
    try found.get()
  }

  private static func spawn(_ program: String, _ arguments: [String], in directory: String) throws -> pid_t {
    #if canImport(Darwin)
      var actions: posix_spawn_file_actions_t?
    #else
      var actions = posix_spawn_file_actions_t()
    #endif
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 2, "\(directory)/stderr.txt", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
    defer { words.forEach { free($0) } }
    var process = pid_t()
    guard posix_spawn(&process, program, &actions, nil, &words, environ) == 0 else {
      throw BenchError("cannot start \(program)")
    }
    return process
  }

  private static func wait(for process: pid_t) -> (status: Int32, usage: rusage) {
    var status: Int32 = 0
    var usage = rusage()
    while wait4(process, &status, 0, &usage) < 0 && errno == EINTR {}
    return (status, usage)
  }

  private static func milliseconds(_ time: timeval) -> Double { Double(time.tv_sec) * 1e3 + Double(time.tv_usec) / 1e3 }
}
