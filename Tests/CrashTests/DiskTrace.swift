import Foundation
import OrderStreamCore
import OrderStreamTestSupport

/// What processes did to files, call by call, as strace saw it.
struct DiskTrace {
  struct Call {
    enum Action {
      case make
      case makeDirectory
      case write([UInt8], at: Int)
      case truncate(Int)
      case synchronize
      case remove
    }

    let action: Action
    let path: String
    /// Lines of the trace. It may have happened from the first one on, and had by the second one.
    let start: Int
    let end: Int
  }

  private(set) var calls: [Call] = []
  private(set) var lineCount = 0

  private static let traced = [
    "pwrite64", "pwritev", "ftruncate", "fdatasync", "fsync", "unlink", "mkdir", "openat", "rename", "fallocate",
  ]

  /// - Parameter directory: What is in it was there, and on the disk, before anything was recorded.
  init(after directory: String? = nil) throws {
    guard let directory else { return }
    let files = FileManager.default
    for name in [""] + (try files.subpathsOfDirectory(atPath: directory).sorted()) {
      let path = name.isEmpty ? directory : directory + "/" + name
      var isDirectory: ObjCBool = false
      guard files.fileExists(atPath: path, isDirectory: &isDirectory) else { continue }
      var actions: [Call.Action] = [isDirectory.boolValue ? .makeDirectory : .make]
      if !isDirectory.boolValue {
        actions.append(.write(Array(try Data(contentsOf: URL(fileURLWithPath: path))), at: 0))
      }
      actions.append(.synchronize)
      calls += actions.map { Call(action: $0, path: path, start: 0, end: 0) }
    }
    calls.append(Call(action: .synchronize, path: (directory as NSString).deletingLastPathComponent, start: 0, end: 0))
  }

  /// Has the command that a shell is about to become traced into a file, with every byte that it writes.
  static func prelude(into file: String) -> String {
    "set -- strace -f -qq -y -xx -s 16000000 -o '\(file)' -e trace=\(traced.joined(separator: ",")) \"$@\""
  }

  /// Adds what is in a file of `prelude`, of calls to files below `directory`.
  mutating func add(_ file: String, below directory: String) throws {
    let text = try Data(contentsOf: URL(fileURLWithPath: file))
    // By process: what was said of a call before another process had its turn.
    var unfinished: [Int: (start: Int, call: Line)] = [:]
    try text.withUnsafeBytes { text in
      var next = text
      while !next.isEmpty {
        let end =
          memchr(next.baseAddress!, 10, next.count).map { UnsafeRawPointer($0) - next.baseAddress! } ?? next.count
        var line = try Line(UnsafeRawBufferPointer(rebasing: next[..<end]))
        next = UnsafeRawBufferPointer(rebasing: next[min(next.count, end + 1)...])
        lineCount += 1
        var start = lineCount
        if line.rest.contains("<... "), let before = unfinished.removeValue(forKey: line.process) {
          line = before.call.resumed(line)
          start = before.start
        }
        if line.rest.hasSuffix("<unfinished ...>") {
          unfinished[line.process] = (start, line)
        } else if let call = try line.call(start: start, end: lineCount, below: directory) {
          calls.append(call)
        }
      }
    }
  }

  /// A line, with its strings and its paths taken out.
  private struct Line {
    var process = 0
    var strings: [[UInt8]] = []
    var paths: [String] = []
    var rest = ""

    init(_ text: UnsafeRawBufferPointer) throws {
      var rest: [UInt8] = []
      var at = 0
      let digits = Self.digits
      // Each byte is `\\x` and two digits.
      func hexadecimal(until end: UInt8) -> [UInt8] {
        let start = text.baseAddress! + at
        let length = memchr(start, Int32(end), text.count - at).map { UnsafeRawPointer($0) - start } ?? text.count - at
        at += length + 1
        return [UInt8](unsafeUninitializedCapacity: length / 4) { target, count in
          count = length / 4
          for index in 0..<count {
            let high = start.load(fromByteOffset: 4 * index + 2, as: UInt8.self)
            target[index] =
              digits[Int(high)] << 4 | digits[Int(start.load(fromByteOffset: 4 * index + 3, as: UInt8.self))]
          }
        }
      }
      while at < text.count {
        let byte = text[at]
        at += 1
        if byte == UInt8(ascii: "\"") {
          strings.append(hexadecimal(until: byte))
        } else if byte == UInt8(ascii: "<"), at < text.count, text[at] == UInt8(ascii: "\\") {
          paths.append(String(decoding: hexadecimal(until: UInt8(ascii: ">")), as: UTF8.self))
        } else {
          rest.append(byte)
        }
      }
      self.rest = String(decoding: rest, as: UTF8.self)
      let words = self.rest.split(separator: " ", maxSplits: 1)
      guard words.count == 2, let process = Int(words[0]) else {
        throw HarnessError("no line of a trace: \(self.rest)")
      }
      self.process = process
      self.rest = words[1].trimmingCharacters(in: .whitespaces)
    }

    /// What each character means.
    private static let digits = (0..<256).map { code -> UInt8 in
      UInt8(String(UnicodeScalar(UInt8(code))), radix: 16) ?? 0
    }

    func resumed(_ second: Line) -> Line {
      var whole = self
      whole.strings += second.strings
      whole.paths += second.paths
      let tail = second.rest.range(of: " resumed>").map { second.rest[$0.upperBound...] } ?? ""
      whole.rest = rest.replacing("<unfinished ...>", with: "") + tail
      return whole
    }

    func call(start: Int, end: Int, below directory: String) throws -> Call? {
      guard let open = rest.firstIndex(of: "("), let close = rest.range(of: ") = ", options: .backwards) else {
        return nil
      }
      let name = rest[..<open]
      let result = Int(rest[close.upperBound...].prefix { $0.isNumber || $0 == "-" }) ?? -1
      guard result >= 0 else { return nil }
      let arguments = rest[rest.index(after: open)..<close.lowerBound].split(separator: ",").map {
        $0.trimmingCharacters(in: .whitespaces)
      }
      let text = String(decoding: strings.first ?? [], as: UTF8.self)
      func made(_ action: Call.Action, _ path: String) -> Call? {
        path == directory || path.hasPrefix(directory + "/") || directory.hasPrefix(path + "/")
          ? Call(action: action, path: path, start: start, end: end) : nil
      }
      switch name {
      case "openat": return rest.contains("O_CREAT") ? made(.make, paths.last ?? "") : nil
      case "mkdir": return made(.makeDirectory, text)
      case "unlink": return made(.remove, text)
      case "ftruncate": return made(.truncate(Int(arguments.last ?? "") ?? -1), paths[0])
      case "fdatasync", "fsync": return made(.synchronize, paths[0])
      case "pwrite64", "pwritev":
        guard
          let call = made(.write(Array(strings.joined().prefix(result)), at: Int(arguments.last ?? "") ?? -1), paths[0])
        else { return nil }
        if case .write(let bytes, let position) = call.action, bytes.count != result || position < 0 {
          throw HarnessError("the trace has not all of \(name) to \(call.path)")
        }
        return call
      default:
        if made(.remove, text) != nil || paths.first.flatMap({ made(.remove, $0) }) != nil,
          !paths.contains(where: { $0.hasSuffix("-shm") })
        {
          throw HarnessError("the replay does not know \(name)")
        }
        return nil
      }
    }
  }
}

/// What a disk may hold after the power went at one moment of a trace. Everything before the last synchronisation of a file
/// is there, and of what was written after it all, nothing, or what some sectors had at some moment: each is whole.
/// A name is there for sure after the last synchronisation of its directory, and so is its removal.
struct DiskImage {
  enum Mode: String, CaseIterable {
    case all, none, prefix, pages, sectors
  }

  private struct Name {
    /// Which file has it, `nil` for none, and from when on.
    var history: [(file: Int?, call: DiskTrace.Call)] = []
  }

  private struct File {
    var isDirectory = false
    var changes: [DiskTrace.Call] = []
    var synchronized: [DiskTrace.Call] = []
  }

  static let sectorBytes = 512
  private var names: [String: Name] = [:]
  private var files: [File] = []

  init(_ trace: DiskTrace) {
    var current: [String: Int] = [:]
    // What has not ended is in the order of its begin.
    for call in trace.calls.sorted(by: { ($0.end, $0.start) < ($1.end, $1.start) }) {
      switch call.action {
      case .make, .makeDirectory:
        if current[call.path] != nil { continue }
        current[call.path] = files.count
        names[call.path, default: Name()].history.append((files.count, call))
        files.append(File())
        if case .makeDirectory = call.action { files[files.count - 1].isDirectory = true }
      case .remove:
        current[call.path] = nil
        names[call.path, default: Name()].history.append((nil, call))
      case .write, .truncate:
        if let file = current[call.path] { files[file].changes.append(call) }
      case .synchronize:
        if current[call.path] == nil {
          // A directory that was there before.
          current[call.path] = files.count
          files.append(File(isDirectory: true))
        }
        files[current[call.path]!].synchronized.append(call)
      }
    }
    directories = current
  }

  /// For the synchronisations of directories.
  private let directories: [String: Int]

  /// Makes the files that are left below `directory` in `target`.
  /// - Parameters:
  ///   - writtenBack: Up to here the system has written everything to the disk by itself.
  ///   - mode: of a file.
  func write(
    cutAt moment: Int, writtenBack: Int, of directory: String, to target: String, _ random: inout SeededRandom,
    mode: (String) -> Mode
  ) throws {
    for path in names.keys.sorted() where path == directory || path.hasPrefix(directory + "/") {
      if path.hasSuffix("-shm") { continue }
      let history = names[path]!.history.filter { $0.call.end <= moment }
      let parent = (path as NSString).deletingLastPathComponent
      let synchronized = directories[parent].flatMap { last(files[$0].synchronized, at: moment) }
      let durable = history.lastIndex { $0.call.end <= max(synchronized?.start ?? 0, writtenBack) }.map { $0 + 1 } ?? 0
      let kept =
        switch mode(path) {
        case .all: history.count
        case .none: durable
        default: durable + Int(random.below(UInt64(history.count - durable + 1)))
        }
      guard kept > 0, let file = history[kept - 1].file else { continue }
      let place = target + path.dropFirst(directory.count)
      guard FileManager.default.fileExists(atPath: (place as NSString).deletingLastPathComponent) else { continue }
      if files[file].isDirectory {
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
      } else {
        try Data(content(files[file], at: moment, writtenBack, mode(path), &random)).write(
          to: URL(fileURLWithPath: place))
      }
    }
  }

  private func last(_ calls: [DiskTrace.Call], at moment: Int) -> DiskTrace.Call? { calls.last { $0.end <= moment } }

  private func content(
    _ file: File, at moment: Int, _ writtenBack: Int, _ mode: Mode, _ random: inout SeededRandom
  ) -> [UInt8] {
    let synchronized = max(last(file.synchronized, at: moment)?.start ?? 0, writtenBack)
    var bytes: [UInt8] = []
    var pending: [DiskTrace.Call] = []
    for change in file.changes where change.start <= moment {
      if change.end <= synchronized { Self.apply(change, to: &bytes) { _ in true } } else { pending.append(change) }
    }
    let count = UInt64(pending.count + 1)
    let (whole, unit): (Int, Int?) =
      switch mode {
      case .all: (pending.count, nil)
      case .none: (0, nil)
      case .prefix: (Int(random.below(count)), nil)
      case .pages: (0, 4096)
      case .sectors: (0, Self.sectorBytes)
      }
    guard let unit else {
      for change in pending.prefix(whole) { Self.apply(change, to: &bytes) { _ in true } }
      if mode == .prefix, whole < pending.count {
        // The next one was under way.
        Self.apply(pending[whole], to: &bytes) { _ in random.below(2) == 0 }
      }
      return bytes
    }
    var times: [Int: Int] = [:]
    func time(_ place: Int) -> Int {
      if let known = times[place / unit] { return known }
      times[place / unit] = Int(random.below(count))
      return times[place / unit]!
    }
    // The length is written at a moment of its own.
    let sized = Int(random.below(count))
    var length = bytes.count
    for (index, change) in pending.enumerated() {
      if index < sized {
        switch change.action {
        case .write(let written, let position): length = max(length, position + written.count)
        case .truncate(let to): length = to
        default: break
        }
      }
      Self.apply(change, to: &bytes, keepsLength: true) { index < time($0) }
    }
    if bytes.count < length { bytes += [UInt8](repeating: 0, count: length - bytes.count) }
    return Array(bytes.prefix(length))
  }

  /// - Parameters:
  ///   - keepsLength: What a shorter file would not have is zero.
  ///   - takes: Whether the sector at that byte takes the change.
  private static func apply(
    _ change: DiskTrace.Call, to bytes: inout [UInt8], keepsLength: Bool = false, _ takes: (Int) -> Bool
  ) {
    switch change.action {
    case .write(let written, let position):
      let end = position + written.count
      if bytes.count < end { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
      var at = position
      while at < end {
        let next = min(end, (at / sectorBytes + 1) * sectorBytes)
        if takes(at) { bytes.replaceSubrange(at..<next, with: written[(at - position)..<(next - position)]) }
        at = next
      }
    case .truncate(let length):
      if bytes.count < length {
        bytes += [UInt8](repeating: 0, count: length - bytes.count)
      } else if !keepsLength {
        bytes.removeLast(bytes.count - length)
      } else {
        for place in length..<bytes.count where takes(place) { bytes[place] = 0 }
      }
    default: break
    }
  }
}
