import Foundation

/// Which names in a directory belong to a log, so that nobody writes there in its place.
public enum LogNames {
  /// Whether a file would be one of a log's own.
  /// - Parameters:
  ///   - path: With symbolic links of its last part followed.
  ///   - directory: Of a log that may not be there yet; `nil` for none.
  public static func contain(_ path: String, logIn directory: String?) -> Bool {
    let file = URL(fileURLWithPath: path)
    let parent = file.deletingLastPathComponent().resolvingSymlinksInPath()
    if isLog(parent, directory) { return isOwnName(file.lastPathComponent) }
    return parent.lastPathComponent == "members" && isLog(parent.deletingLastPathComponent(), directory)
  }

  private static func isOwnName(_ name: String) -> Bool {
    let paths = LogDirectory(path: "")
    let names = [paths.database, paths.turnLock, paths.writeLock, paths.marks, paths.members]
    // Some file systems take one spelling for the other.
    let lower = "/" + name.lowercased()
    return names.contains(lower) || ["-wal", "-shm", "-journal"].contains { lower == paths.database + $0 }
  }

  private static func isLog(_ parent: URL, _ directory: String?) -> Bool {
    if LogDirectory(path: parent.path).hasDatabase { return true }
    guard let directory else { return false }
    return URL(fileURLWithPath: directory).resolvingSymlinksInPath().path == parent.path
  }
}
