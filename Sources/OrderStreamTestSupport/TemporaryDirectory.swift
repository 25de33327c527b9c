import Foundation

/// A directory that goes with its owner.
public final class TemporaryDirectory: Sendable {
  public let path: String

  public init() {
    let name = "orderstream-test-" + String(UInt64.random(in: 0 ... .max), radix: 16)
    path = NSTemporaryDirectory().hasSuffix("/") ? NSTemporaryDirectory() + name : NSTemporaryDirectory() + "/" + name
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      preconditionFailure("a test needs a temporary directory: \(error)")
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
