import Foundation

/// A directory for one test.
struct TemporaryDirectory {
  let path: String

  /// Makes one, and removes it when `body` is done.
  static func with(_ body: (TemporaryDirectory) throws -> Void) throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("orderstream-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try body(TemporaryDirectory(path: path))
  }

  /// Writes a file into it and returns its path.
  func file(_ name: String, _ text: String) throws -> String {
    let file = "\(path)/\(name)"
    try Data(text.utf8).write(to: URL(fileURLWithPath: file))
    return file
  }

  func text(_ name: String) throws -> String { try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) }

  var names: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() } }
}
