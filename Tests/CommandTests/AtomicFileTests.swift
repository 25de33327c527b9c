import OrderStreamTestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

@testable import orderstream

@Suite("Files that are replaced as a whole")
struct AtomicFileTests {
  private func mode(_ path: String) -> mode_t {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
  }

  private func refusal(_ path: String) -> ExitCode? {
    (#expect(throws: CommandError.self) { try AtomicFile(path) })?.code
  }

  @Test func aCheckLeavesNothingBehind() throws {
    try TemporaryDirectory.with { directory in
      _ = try AtomicFile("\(directory.path)/new")
      #expect(try directory.names.isEmpty)
    }
  }

  @Test func theContentIsReplacedAndTheModeStays() throws {
    try TemporaryDirectory.with { directory in
      let path = try directory.file("report", "old and longer")
      chmod(path, 0o640)
      let file = try AtomicFile(path)
      try file.write("new")
      #expect(try directory.text("report") == "new" && mode(path) == 0o640)
      try file.write("")
      #expect(try directory.text("report").isEmpty && directory.names == ["report"])
    }
  }

  @Test func aNewFileFollowsTheMaskOfTheUser() throws {
    try TemporaryDirectory.with { directory in
      let mask = umask(0)
      umask(mask)
      try AtomicFile("\(directory.path)/new").write("x")
      #expect(mode("\(directory.path)/new") == 0o666 & ~mask)
    }
  }

  @Test func aSymbolicLinkStaysAndItsTargetIsReplaced() throws {
    try TemporaryDirectory.with { directory in
      _ = try directory.file("target", "old")
      symlink("target", "\(directory.path)/link")
      symlink("missing", "\(directory.path)/dangling")
      symlink("loop", "\(directory.path)/loop")
      try AtomicFile("\(directory.path)/link").write("new")
      try AtomicFile("\(directory.path)/dangling").write("made")
      #expect(try directory.text("target") == "new" && directory.text("missing") == "made")
      #expect(try directory.names == ["dangling", "link", "loop", "missing", "target"])
      #expect(refusal("\(directory.path)/loop") == .creation)
    }
  }

  @Test func pathsThatCannotBeWrittenAreRefusedBeforeAnyWork() throws {
    try TemporaryDirectory.with { directory in
      let file = try directory.file("file", "")
      #expect(refusal("\(directory.path)/missing/report") == .creation)
      #expect(refusal(directory.path) == .creation)
      #expect(refusal("\(directory.path)/") == .creation)
      #expect(refusal("\(file)/report") == .creation)
      #expect(refusal("\(directory.path)/" + String(repeating: "x", count: 300)) == .creation)
      #expect(refusal("") == .creation)
    }
  }

  @Test func aDeviceIsWrittenInPlace() throws {
    try AtomicFile("/dev/null").write("x")
    #expect(access("/dev/null", W_OK) == 0)
    var status = stat()
    #expect(stat("/dev/null", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
  }

  #if os(Linux)
    @Test func aFullDeviceIsAnInputOutputError() throws {
      let error = try #require(throws: CommandError.self) { try AtomicFile("/dev/full").write("x") }
      #expect(error.code == .io)
    }

    @Test func aFailedWriteKeepsTheOldFileAndLeavesNoTemporaryOne() async {
      // A limit on the size of files is the full disk of one process.
      await #expect(processExitsWith: .success) {
        Signals.ignoreWriteSignals()
        try TemporaryDirectory.with { directory in
          let file = try AtomicFile(try directory.file("report", "old"))
          var limit = rlimit(rlim_cur: 1000, rlim_max: 1000)
          precondition(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0, "a limit can be lowered")
          var code: ExitCode?
          do throws(CommandError) { try file.write(String(repeating: "x", count: 5000)) } catch { code = error.code }
          precondition(code == .io, "a file that is too large is an I/O error")
          let (text, names) = (try directory.text("report"), try directory.names)
          precondition(text == "old" && names == ["report"], "the old file is whole and alone")
        }
      }
    }
  #endif

  @Test func theDirectoryMayBeTheCurrentOneOrTheRoot() throws {
    // Only the check: it leaves nothing in either.
    _ = try AtomicFile("orderstream-check-\(getpid())")
    if getuid() == 0 { _ = try? AtomicFile("/orderstream-check-\(getpid())") }
    #expect(access("orderstream-check-\(getpid())", F_OK) != 0)
  }
}
