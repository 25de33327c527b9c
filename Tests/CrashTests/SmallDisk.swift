import Foundation
import OrderStreamTestSupport
import Testing

/// A file system of a few megabytes in memory, unmounted with its owner. Mounting one takes root on Linux.
final class SmallDisk {
  private let place = TemporaryDirectory()
  var path: String { place.path }

  /// Whether one can be mounted: root on Linux may.
  static let isPossible = SmallDisk(megabytes: 1) != nil
  static let impossible: Comment = "no small file system can be mounted here (root on Linux may)"

  /// `nil` where none can be mounted.
  init?(megabytes: Int) {
    guard Tool.run("mount", "-t", "tmpfs", "-o", "size=\(megabytes)m", "none", place.path) else { return nil }
  }

  deinit { Tool.run("umount", place.path) }

  func grow(megabytes: Int) throws {
    guard Tool.run("mount", "-o", "remount,size=\(megabytes)m", path) else { throw HarnessError("cannot grow \(path)") }
  }

  func makeReadOnly() throws {
    guard Tool.run("mount", "-o", "remount,ro", path) else { throw HarnessError("cannot make \(path) read-only") }
  }

  /// Takes what is left, down to the last byte or so many before it.
  func fill(leaving bytes: Int = 0) throws {
    let descriptor = open(path + "/filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw HarnessError("cannot fill \(path)") }
    defer { close(descriptor) }
    let zeros = [UInt8](repeating: 0, count: 4096)
    while write(descriptor, zeros, zeros.count) > 0 {}
    if bytes > 0, ftruncate(descriptor, max(0, lseek(descriptor, 0, SEEK_END) - off_t(bytes))) != 0 {
      throw HarnessError("cannot leave \(bytes) bytes in \(path)")
    }
  }

  func bytes(_ name: String) throws -> Int {
    (try FileManager.default.attributesOfItem(atPath: path + "/" + name)[.size] as? NSNumber)?.intValue ?? 0
  }

  func empty() throws { try FileManager.default.removeItem(atPath: path + "/filler") }

  var names: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() } }
}

/// Programs of the system.
enum Tool {
  /// - Returns: whether it is there and exits with 0.
  @discardableResult
  static func run(_ words: String...) -> Bool {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = words
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    do { try process.run() } catch { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }
}

/// Another user of this machine, for whom the rights of files count.
enum OtherUser {
  static let isPossible = geteuid() == 0 && Tool.run("setpriv", "--reuid", "65534", "--clear-groups", "true")
  static let impossible: Comment = "nobody else can be run as (root with setpriv may)"

  /// Has the command run as that user.
  static let prelude = #"set -- setpriv --reuid 65534 --regid 65534 --clear-groups "$@""#
}

/// A call to the system that fails in a child, from its n-th time on.
struct SystemCallFault: Sendable, CustomTestStringConvertible {
  var call: String
  var error: String
  var from: Int

  var testDescription: String { "\(call) fails with \(error) from its call \(from) on" }

  /// Puts the tool before the command that the shell is about to become.
  var prelude: String {
    #"set -- strace -f -qq -o /dev/null -e trace=\#(call) -e inject=\#(call):error=\#(error):when=\#(from)+ "$@""#
  }

  /// Writes these calls of a child to a file.
  static func tracing(_ calls: [String], into file: String) -> String {
    #"set -- strace -f -qq -o '\#(file)' -e trace=\#(calls.joined(separator: ",")) "$@""#
  }

  static let isPossible = Tool.run("strace", "-qq", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO", "true")

  static let impossible: Comment = "strace is missing or may not trace here"
}
