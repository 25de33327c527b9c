import Foundation
import OrderStreamTestSupport
import Testing

@testable import orderstream

/// Parses a command line that is right.
func parsed(_ arguments: String..., environment: [String: String] = [:]) throws -> Invocation {
  try Invocation.parse(arguments, environment: environment.lookup)
}

/// Parses a command line that is wrong, and returns the error.
func refused(
  _ arguments: String..., environment: [String: String] = [:], location: SourceLocation = #_sourceLocation
) throws -> CommandError {
  try #require(failure(arguments, environment: environment), "the command line is right", sourceLocation: location)
}

private func failure(_ arguments: [String], environment: [String: String]) -> CommandError? {
  do {
    _ = try Invocation.parse(arguments, environment: environment.lookup)
    return nil
  } catch {
    return error
  }
}

extension TemporaryDirectory {
  /// Makes one, and removes it when `body` is done.
  static func with(_ body: (TemporaryDirectory) throws -> Void) throws {
    try withExtendedLifetime(TemporaryDirectory()) { try body($0) }
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
