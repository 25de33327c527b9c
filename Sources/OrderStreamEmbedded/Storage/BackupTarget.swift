import Foundation
import OrderStreamCore

/// Where a backup goes. It is built under a temporary name beside the directory that it shall have, and gets its name last,
/// so that one which was cut short is never taken for a log.
public final class BackupTarget {
  /// With symbolic links followed.
  public let path: String
  private let parent: String
  /// Where the copy is made; on the same file system.
  let draft: LogDirectory
  private var isDraft = true

  /// Checks that the directory can be made, or is there and empty, and makes the temporary one.
  /// - Throws: `cannotCreate`, `diskFull`, `io`.
  public init(_ given: String) throws(BrokerError) {
    let (path, parent) = try Self.resolved(given)
    (self.path, self.parent) = (path, parent)
    try Self.refuseLog(given, parent)
    let mode = try Self.modeOfEmptyDirectory(given, path, parent)
    let random = String(UInt64.random(in: .min ... .max), radix: 36)
    let name = ".orderstream-\(ProcessInfo.processInfo.processIdentifier)-\(random).tmp"
    draft = LogDirectory(path: (parent == "/" ? "" : parent) + "/" + name)
    if mkdir(draft.path, 0o700) != 0 { throw Self.refusal(given, .current) }
    // One that is there stays as it is, for its owner too where this user may give files away.
    if let mode {
      _ = chown(draft.path, mode.st_uid, mode.st_gid)
      _ = chmod(draft.path, mode.st_mode & 0o7777)
    }
    Failpoint.reach("backup/draft-made")
  }

  /// Removes what was copied, unless it has its name. Idempotent.
  public func discard() {
    guard isDraft else { return }
    isDraft = false
    try? FileManager.default.removeItem(atPath: draft.path)
  }

  /// Gives the copy its name, durably. Everything in it is on the disk.
  /// - Throws: `cannotCreate` when something has that name by now; `io`.
  func commit() throws(BrokerError) {
    Failpoint.reach("backup/before-rename")
    do throws(ErrorNumber) {
      // An empty directory of that name goes; anything else is in the way.
      if rename(draft.path, path) != 0 { throw .current }
      isDraft = false
      Failpoint.reach("backup/renamed")
      try Descriptor(opening: parent, flags: O_RDONLY | O_DIRECTORY).synchronize()
    } catch {
      throw Self.refusal(path, error)
    }
  }

  // MARK: - Checks

  private static func resolved(_ given: String) throws(BrokerError) -> (path: String, parent: String) {
    var path = given
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    var status = stat()
    if lstat(path, &status) == 0 {
      guard let whole = real(path) else { throw refusal(given, .current) }
      return (whole, URL(fileURLWithPath: whole).deletingLastPathComponent().path)
    }
    if errno != ENOENT { throw refusal(given, .current) }
    let slash = path.lastIndex(of: "/")
    let above = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    guard let parent = real(above) else { throw refusal(given, .current) }
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    return ((parent == "/" ? "" : parent) + "/" + name, parent)
  }

  private static func real(_ path: String) -> String? {
    guard let text = realpath(path, nil) else { return nil }
    defer { free(text) }
    return String(cString: text)
  }

  /// A log holds nothing else than its files.
  private static func refuseLog(_ given: String, _ parent: String) throws(BrokerError) {
    var directory = URL(fileURLWithPath: parent)
    while true {
      if LogDirectory(path: directory.path).hasDatabase {
        throw BrokerError(
          .cannotCreate, "cannot create \(given)",
          why: "it is inside the log \(directory.path), which holds nothing else",
          remedy: "name a directory outside of it", recovery: .none)
      }
      if directory.path == "/" { return }
      directory.deleteLastPathComponent()
    }
  }

  /// - Returns: `nil` when nothing has that name.
  private static func modeOfEmptyDirectory(
    _ given: String, _ path: String, _ parent: String
  ) throws(BrokerError) -> stat? {
    var (status, above) = (stat(), stat())
    guard stat(path, &status) == 0 else { return nil }
    let remedy = "name a new or an empty directory"
    func refused(_ why: String, _ remedy: String) -> BrokerError {
      BrokerError(.cannotCreate, "cannot create \(given)", why: why, remedy: remedy, recovery: .none)
    }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw refused("it exists and is no directory", remedy) }
    let names: [String]
    do { names = try FileManager.default.contentsOfDirectory(atPath: path) } catch {
      throw refused(StorageErrors.words(error), remedy)
    }
    if let first = names.min() {
      let more = names.count > 1 ? " and \(names.count - 1) more" : ""
      throw refused("it exists and is not empty (\(first)\(more))", remedy)
    }
    // It would have to be replaced.
    if path == "/" || stat(parent, &above) != 0 || above.st_dev != status.st_dev {
      throw refused("a file system is mounted there", "name a directory in it, like \(given)/orderstream")
    }
    return status
  }

  private static func refusal(_ given: String, _ error: ErrorNumber) -> BrokerError {
    let isDisk = [ENOSPC, EDQUOT, EIO].contains(error.code)
    return BrokerError(
      isDisk ? .io : .cannotCreate, "cannot create \(given)", why: error.words,
      remedy: isDisk ? "make room, or name a directory on another disk" : "name a directory that can be made",
      recovery: .none)
  }
}
