import Foundation

/// A directory that goes with its owner.
public final class TemporaryDirectory: Sendable {
  public let path: String

  public init() {
    let name = "orderstream-test-" + String(UInt64.random(in: 0 ... .max), radix: 16)
    path = FileManager.default.temporaryDirectory.appendingPathComponent(name).path
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      preconditionFailure("a test needs a temporary directory: \(error)")
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Makes one, and removes it when `body` is done.
  public static func with(_ body: (TemporaryDirectory) throws -> Void) throws {
    let directory = TemporaryDirectory()
    try withExtendedLifetime(directory) { try body(directory) }
  }

  /// Writes a file into it and returns its path.
  public func file(_ name: String, _ text: String) throws -> String {
    let file = "\(path)/\(name)"
    try Data(text.utf8).write(to: URL(fileURLWithPath: file))
    return file
  }

  public func text(_ name: String) throws -> String { try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) }

  public var names: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() } }
}
