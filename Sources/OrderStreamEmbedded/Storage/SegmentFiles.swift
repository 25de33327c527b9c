import Foundation
import OrderStreamCore

/// The segment files of one log, as one connection uses them. A segment holds batches of one topic, of all its partitions,
/// one after another and nothing else: what lies where is in the database (`LogSchema`), and so is the length up to which
/// a segment is committed (`SegmentRow`).
///
/// A batch is written once, behind the committed length and under the write lock, and is synchronised before the transaction
/// that names it commits. So what a crash or an error leaves behind that length is nobody's, and the next writer cuts it
/// off. Nothing below it is ever written again; a segment goes as a whole, when no batch is left in it.
///
/// Except for a commit that was begun and that nobody saw end: it failed at its last synchronisation, or its process was
/// killed there. It may stand whole in the write-ahead log, where the next commit takes its place, and until then it counts
/// for whoever reads that file anew. So bytes that are found behind the length are cut off behind one more commit, never
/// before it (`LogConnection.write`).
final class SegmentFiles {
  /// A segment of this length takes no more. Small, so that removing the start of a topic soon gives room back; large, so
  /// that making a file costs nothing: on ext4 it is 0.2 ms, beside 25 ms for writing 32 MB.
  static let sealBytes: Int64 = 32 << 20
  /// The disk is told of so many bytes at a time.
  private static let writeBackBytes = 1 << 20
  /// Files that stay open for reading. All partitions of a topic are read through the same few.
  private static let mostOpen = 8

  private let directory: LogDirectory
  /// The last one that was written.
  private var written: SegmentFile?
  /// Written and not committed yet, with the committed length of each.
  private var pending: [(file: SegmentFile, length: Int64)] = []
  private var hasMadeFile = false
  /// Whether what is pending may be committed, whatever SQLite says.
  private var commitHasBegun = false
  /// Whether bytes behind the committed length are nobody's for sure.
  private var mayCut = false
  /// Least recently used first.
  private var open: [SegmentFile] = []
  /// For batches of which only a part is wanted.
  let scratch = ByteBuffer(capacity: 1 << 10)

  init(_ directory: LogDirectory) { self.directory = directory }

  // MARK: - Writing, only under the write lock

  /// Writes the pieces behind the committed bytes of a segment, whose file is made with its first ones.
  /// - Throws: `SegmentTail` when there are bytes that `cutting` must cut off; `SegmentFault` when the file is not the one
  ///   that was committed; `ErrorNumber`.
  func append(_ pieces: [UnsafeRawBufferPointer], to segment: SegmentRow) throws {
    let file = try writable(segment)
    let isFirst = !pending.contains { $0.file === file }
    if isFirst {
      let size = try file.descriptor.size()
      if size < segment.length { throw SegmentFault(segment.id, why: .short(size, committed: segment.length)) }
      if size > segment.length {
        guard mayCut else { throw SegmentTail() }
        try file.descriptor.truncate(to: segment.length)
      }
      pending.append((file, segment.length))
    }
    Failpoint.reach("segment/before-write")
    var position = segment.length
    var first = 0
    while first < pieces.count {
      // The disk works on what is there while the next bytes are copied and their checksums made.
      var (end, bytes) = (first, 0)
      while end < pieces.count, bytes < Self.writeBackBytes {
        bytes += pieces[end].count
        end += 1
      }
      try file.descriptor.write(Array(pieces[first..<end]), at: position)
      if pieces.count > 1 { file.descriptor.beginWriteBack(at: position, count: bytes) }
      position += Int64(bytes)
      first = end
    }
    Failpoint.reach("segment/written")
  }

  private func writable(_ segment: SegmentRow) throws -> SegmentFile {
    let path = directory.segment(segment.id)
    if let written, written.id == segment.id, FileIdentity(at: path) == written.identity { return written }
    let isNew = segment.length == 0
    let file: SegmentFile
    do throws(ErrorNumber) {
      file = try SegmentFile(segment.id, path, flags: isNew ? O_RDWR | O_CREAT : O_RDWR)
    } catch {
      if error.code == ENOENT && !isNew { throw SegmentFault(segment.id, why: .gone) }
      throw error
    }
    if isNew { hasMadeFile = true }
    written = file
    return file
  }

  /// Makes durable what was appended, before the commit that names it.
  func synchronize() throws(ErrorNumber) {
    for (file, _) in pending { try file.descriptor.synchronizeData() }
    if hasMadeFile {
      // Its name too, and that of the directory.
      for path in [directory.segments, directory.path] {
        try Descriptor(opening: path, flags: O_RDONLY | O_DIRECTORY).synchronize()
      }
      hasMadeFile = false
    }
    if !pending.isEmpty { Failpoint.reach("segment/synchronized") }
  }

  /// Does what appends while bytes behind the committed length may be cut off: right behind a commit, under one lock.
  func cutting<T>(_ body: () throws -> T) rethrows -> T {
    mayCut = true
    defer { mayCut = false }
    return try body()
  }

  /// From here on only `keep` says whether what was appended is committed.
  func beginCommit() { commitHasBegun = true }

  /// What was appended is committed.
  func keep() {
    pending.removeAll(keepingCapacity: true)
    commitHasBegun = false
  }

  /// What was appended is nobody's, unless its commit had begun. That it cannot be cut off now harms nobody: the next
  /// writer does.
  func discard() {
    if !commitHasBegun {
      for (file, length) in pending { try? file.descriptor.truncate(to: length) }
    }
    pending.removeAll(keepingCapacity: true)
    commitHasBegun = false
  }

  /// Removes files of segments that no row names any more. Who has one open reads on in it.
  /// - Throws: `ErrorNumber` of the first that stays; the next removal tries again.
  func remove(_ ids: [Int64]) throws(ErrorNumber) {
    for id in ids {
      Failpoint.reach("segment/before-removal")
      if unlink(directory.segment(id)) != 0 && errno != ENOENT { throw .current }
      Failpoint.reach("segment/removed")
    }
  }

  /// The numbers of all files that are there.
  func found() -> [Int64] {
    ((try? FileManager.default.contentsOfDirectory(atPath: directory.segments)) ?? []).compactMap { name in
      Int64(name).flatMap { directory.segment($0) == directory.segments + "/" + name ? $0 : nil }
    }
  }

  // MARK: - Reading

  /// Reads bytes that are committed. A file that is shortened meanwhile is a fault in words, and nothing else: nothing is
  /// mapped into memory.
  /// - Throws: `SegmentFault`, `ErrorNumber`.
  func read(_ id: Int64, at position: Int64, into target: UnsafeMutableRawBufferPointer) throws {
    let file = try readable(id)
    let count = try file.descriptor.read(into: target, at: position)
    if count < target.count {
      throw SegmentFault(id, why: .short(position + Int64(count), committed: position + Int64(target.count)))
    }
  }

  /// - Throws: `SegmentFault` when the file is gone or shorter than what is committed; `ErrorNumber`.
  func check(_ segment: SegmentRow) throws {
    var status = stat()
    guard stat(directory.segment(segment.id), &status) == 0 else {
      if errno == ENOENT { throw SegmentFault(segment.id, why: .gone) }
      throw ErrorNumber.current
    }
    if Int64(status.st_size) < segment.length {
      throw SegmentFault(segment.id, why: .short(Int64(status.st_size), committed: segment.length))
    }
  }

  private func readable(_ id: Int64) throws -> SegmentFile {
    if let last = open.last, last.id == id { return last }
    if let index = open.firstIndex(where: { $0.id == id }) {
      let file = open.remove(at: index)
      open.append(file)
      return file
    }
    let path = directory.segment(id)
    let file: SegmentFile
    do throws(ErrorNumber) {
      file = try SegmentFile(id, path, flags: O_RDONLY)
    } catch {
      switch error.code {
      case ENOENT: throw SegmentFault(id, why: .gone)
      case EACCES, EPERM: throw directory.unreadable(path, error)
      default: throw error
      }
    }
    if open.count >= Self.mostOpen { open.removeFirst() }
    open.append(file)
    return file
  }
}

/// One open segment file.
private final class SegmentFile {
  let id: Int64
  let descriptor: Descriptor
  let identity: FileIdentity

  init(_ id: Int64, _ path: String, flags: Int32) throws(ErrorNumber) {
    self.id = id
    descriptor = try Descriptor(opening: path, flags: flags)
    identity = try descriptor.identity()
  }
}

/// Bytes lie behind the committed length of a segment.
struct SegmentTail: Error {}

/// A segment's file does not hold what the database says. Seen from an old snapshot it may be that the segment was removed
/// since, so `LogConnection.read` looks again before it takes this for damage.
struct SegmentFault: Error, Equatable {
  enum Reason: Equatable {
    case gone
    /// How far it goes, and how far at least it is committed.
    case short(Int64, committed: Int64)
  }

  let segment: Int64
  let why: Reason

  init(_ segment: Int64, why: Reason) {
    self.segment = segment
    self.why = why
  }

  func damaged(_ directory: LogDirectory) -> BrokerError {
    let file = directory.segment(segment)
    return switch why {
    case .gone: StorageErrors.damaged(file, why: "the file is missing, and the log has records in it")
    case .short(let size, let committed):
      StorageErrors.damaged(
        file, why: "it ends at byte \(size) and was written to byte \(committed) at least: the log lost its tail")
    }
  }
}
