import OrderStreamCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A file that is replaced as a whole: readers see the old bytes or the new ones, also after a crash at any instant.
///
/// Making one checks that the path can be written, before any work. A device or a pipe (`/dev/null`, `/dev/stderr`) has
/// no old and new state and is written in place. A symbolic link stays, and the file that it names is replaced.
struct AtomicFile: Sendable {
  /// As the user named it.
  let path: String
  /// With symbolic links followed.
  let target: String
  /// Whether it has an old and a new state; `false` where it is written in place.
  let isReplaced: Bool

  /// - Throws: `creation` when the path cannot be written, `io` when the disk refuses.
  init(_ path: String) throws(CommandError) {
    self.path = path
    target = try Self.followLinks(path)
    var status = stat()
    guard stat(target, &status) == 0 else {
      if errno != ENOENT { throw Self.refusal(path, errno) }
      isReplaced = true
      try tryOut()
      return
    }
    switch status.st_mode & S_IFMT {
    case S_IFDIR: throw Self.refusal(path, EISDIR)
    case S_IFREG: isReplaced = !Self.isDescriptor(target)
    default: isReplaced = false
    }
    if access(target, W_OK) != 0 { throw Self.refusal(path, errno) }
    if isReplaced { try tryOut() }
  }

  func write(_ text: String) throws(CommandError) {
    let buffer = ByteBuffer(capacity: text.utf8.count)
    buffer.append(text)
    try write(buffer.bytes)
  }

  /// Replaces the content. When it returns, the bytes and the name are on the disk; when it throws, the old file is
  /// whole.
  /// - Throws: `creation` or `io`.
  func write(_ bytes: UnsafeRawBufferPointer) throws(CommandError) {
    let draft = try draft()
    try draft.append(bytes)
    try draft.commit()
  }

  /// A new content that comes in pieces; nobody sees it before `commit`.
  func draft() throws(CommandError) -> Draft { try Draft(self) }

  /// The content of a file while it is being written. One that is let go without `commit` leaves the old file as it is.
  final class Draft {
    private let file: AtomicFile
    /// `nil` where the file is written in place.
    private let temporary: String?
    private var descriptor: Int32

    fileprivate init(_ file: AtomicFile) throws(CommandError) {
      self.file = file
      guard file.isReplaced else {
        temporary = nil
        descriptor = FileDescriptor.open(
          file.target, O_WRONLY | O_APPEND, mayGiveUp: { Signals.exitCode != nil })
        if descriptor < 0 {
          throw AtomicFile.abandoned(file.path, errno) ?? AtomicFile.refusal(file.path, errno)
        }
        return
      }
      let made = try file.createTemporary()
      (temporary, descriptor) = (made.name, made.descriptor)
      Failpoint.reach("file/created")
    }

    deinit {
      if descriptor < 0 { return }
      close(descriptor)
      if let temporary { unlink(temporary) }
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(CommandError) {
      let code = FileDescriptor.writeAll(descriptor, bytes, mayGiveUp: { Signals.exitCode != nil })
      if code != 0 { throw AtomicFile.abandoned(file.path, code) ?? file.failure(code) }
    }

    /// When it returns, the bytes and the name are on the disk.
    func commit() throws(CommandError) {
      guard let temporary else { return }
      var code = AtomicFile.complete(descriptor, like: file.target)
      if close(descriptor) != 0, code == 0 { code = errno }
      descriptor = -1
      Failpoint.reach("file/written")
      if code == 0, rename(temporary, file.target) != 0 { code = errno }
      guard code == 0 else {
        unlink(temporary)
        throw file.failure(code)
      }
      Failpoint.reach("file/renamed")
      try file.syncDirectory()
      Failpoint.reach("file/synced")
    }
  }

  /// Gives a new file the owner and the mode of the one that it replaces, and has its bytes on the disk.
  private static func complete(_ descriptor: Int32, like target: String) -> Int32 {
    var old = stat()
    if stat(target, &old) == 0 {
      // Only root may give files away; everybody else keeps the file that they could write.
      _ = fchown(descriptor, old.st_uid, old.st_gid)
      if fchmod(descriptor, old.st_mode & 0o777) != 0 { return errno }
    }
    return FileDescriptor.synchronize(descriptor)
  }

  private func syncDirectory() throws(CommandError) {
    let descriptor = open(directory, O_RDONLY | O_CLOEXEC)
    // A directory that may be written but not read cannot be opened; the rename itself has worked.
    if descriptor < 0 { return }
    defer { close(descriptor) }
    // EINVAL: a file system that has nothing to sync for a directory.
    let code = FileDescriptor.synchronize(descriptor)
    if code != 0, code != EINVAL { throw failure(code) }
  }

  /// Creates and removes a temporary file: the only check that read-only, full and immutable directories all fail.
  private func tryOut() throws(CommandError) {
    let temporary = try createTemporary()
    close(temporary.descriptor)
    unlink(temporary.name)
  }

  private func createTemporary() throws(CommandError) -> (name: String, descriptor: Int32) {
    let random = String(UInt64.random(in: .min ... .max), radix: 36)
    let name = "\(directory)/.orderstream-\(getpid())-\(random).tmp"
    let descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    if descriptor < 0 { throw Self.refusal(path, errno) }
    return (name, descriptor)
  }

  private var directory: String {
    guard let slash = target.lastIndex(of: "/") else { return "." }
    return slash == target.startIndex ? "/." : String(target[..<slash])
  }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  private static func followLinks(_ path: String) throws(CommandError) -> String {
    if path.isEmpty { throw refusal(path, ENOENT) }
    if path.hasSuffix("/") { throw refusal(path, EISDIR) }
    var current = path
    for _ in 0..<40 {
      var link = [CChar](repeating: 0, count: Int(PATH_MAX))
      let length = readlink(current, &link, link.count)
      if length < 0 || isDescriptor(current) { return current }
      let named = String(decoding: link[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self)
      let slash = current.lastIndex(of: "/")
      current = named.hasPrefix("/") ? named : (slash.map { String(current[...$0]) } ?? "") + named
    }
    throw refusal(path, ELOOP)
  }

  /// Names of open descriptors: links whose text is no path.
  private static func isDescriptor(_ path: String) -> Bool {
    ["/dev/stdout", "/dev/stderr", "/dev/stdin"].contains(path) || path.hasPrefix("/dev/fd/")
      || path.hasPrefix("/proc/")
  }

  private func failure(_ code: Int32) -> CommandError {
    CommandError(
      .io, "cannot write \(path)", why: FileDescriptor.message(code),
      remedy: "make room or choose another path")
  }

  /// The error of a wait for the reader of a pipe that a signal has ended; `nil` for other numbers.
  private static func abandoned(_ path: String, _ code: Int32) -> CommandError? {
    guard code == ECANCELED, let signal = Signals.exitCode else { return nil }
    return CommandError(
      signal, "cannot write \(path)", why: "nobody reads this pipe, and a signal ended the wait for a reader")
  }

  private static func refusal(_ path: String, _ code: Int32) -> CommandError {
    let isDisk = [ENOSPC, EDQUOT, EIO].contains(code)
    return CommandError(
      isDisk ? .io : .creation, "cannot create \(path.isEmpty ? "a file without a name" : path)",
      why: FileDescriptor.message(code), remedy: "choose a path that can be written")
  }
}
