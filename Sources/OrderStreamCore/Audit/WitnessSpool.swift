/// Room outside of memory for what a witness saw: a file, as the executable gives it. One thread.
public protocol WitnessStorage: AnyObject {
  /// Fills `bytes` from what was written at `position`; only asked for what was.
  func read(into bytes: UnsafeMutableRawBufferPointer, at position: Int64) throws(BrokerError)

  /// - Throws: `diskFull`, `io`.
  func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws(BrokerError)
}

/// What was seen at one offset, in 16 bytes. All zero: nothing.
struct Sight {
  /// Who has seen it, and what became of it.
  struct Marks: OptionSet {
    let rawValue: UInt16

    /// By the readers of the watch, and by those of the check.
    static let committed = Marks(rawValue: 1)
    static let uncommitted = Marks(rawValue: 2)
    static let checkedCommitted = Marks(rawValue: 4)
    static let checkedUncommitted = Marks(rawValue: 8)
    /// It is among the findings.
    static let told = Marks(rawValue: 16)

    static let watched: Marks = [.committed, .uncommitted]
    static let checked: Marks = [.checkedCommitted, .checkedUncommitted]
  }

  private static let markBits = 16

  /// Of key, value and headers.
  var digest: UInt64 = 0
  /// Timestamp and marks. Years beyond 6000 are cut, which no latency has.
  private var rest: Int64 = 0

  var marks: Marks {
    get { Marks(rawValue: UInt16(truncatingIfNeeded: rest)) }
    set { rest = (rest & ~Int64(UInt16.max)) | Int64(newValue.rawValue) }
  }

  /// Milliseconds since 1970 UTC; −1 for none.
  var timestampMs: Int64 {
    get { rest >> Self.markBits }
    set {
      let limit: Int64 = 1 << 47
      rest = (max(-limit, min(limit - 1, newValue)) << Self.markBits) | Int64(marks.rawValue)
    }
  }

  /// The key, value and headers of a record in one number, with a key that each process has of its own: nobody can write
  /// two records that look alike.
  static func digest(of record: RecordBatch.View) -> UInt64 {
    var hasher = Hasher()
    for part in [record.key, record.value, record.headers.block] {
      hasher.combine(part?.count ?? -1)
      if let part { hasher.combine(bytes: part) }
    }
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }
}

/// The sights of many partitions by offset, in blocks of a page: those in use in memory, the others in a `WitnessStorage`.
/// Gaps between blocks take no room, and each block takes some fifty bytes of memory wherever it is.
final class WitnessSpool {
  private static let blockBits: Int64 = 8
  private static let blockSights = 1 << Int(blockBits)
  static let blockBytes = blockSights * MemoryLayout<Sight>.stride
  /// Blocks that memory is taken for at once.
  private static let slabBlocks = 256

  struct BlockKey: Hashable, Comparable {
    /// Which partition of which topic, as the caller numbers them.
    let stream: Int
    let number: Int64

    static func < (left: Self, right: Self) -> Bool { (left.stream, left.number) < (right.stream, right.number) }
  }

  private struct Place {
    /// Where it lies in the storage, in blocks.
    let slot: Int32
    /// Where it lies in memory; −1 when it does not.
    var frame: Int32
  }

  private struct Frame {
    var key: BlockKey
    var isChanged = false
    /// Since the last search for a frame.
    var wasUsed = true
  }

  private let storage: any WitnessStorage
  private let limit: Int
  private var places: [BlockKey: Place] = [:]
  private var frames: [Frame] = []
  private var slabs: [UnsafeMutableBufferPointer<Sight>] = []
  private var hand = 0
  /// The block that was asked for last.
  private var latest: (key: BlockKey, frame: Int)?

  /// - Parameter residentBlocks: that may be in memory.
  init(_ storage: any WitnessStorage, residentBlocks: Int) {
    self.storage = storage
    limit = max(1, residentBlocks)
  }

  deinit { removeAll() }

  /// What was seen there; an empty sight where nothing was.
  func sight(_ stream: Int, _ offset: Offset) throws(BrokerError) -> Sight {
    let key = BlockKey(stream: stream, number: offset >> Self.blockBits)
    guard let frame = try frame(of: key, isMade: false) else { return Sight() }
    return block(frame)[Self.index(offset)]
  }

  func set(_ sight: Sight, _ stream: Int, _ offset: Offset) throws(BrokerError) {
    let key = BlockKey(stream: stream, number: offset >> Self.blockBits)
    guard let frame = try frame(of: key, isMade: true) else { return }
    block(frame)[Self.index(offset)] = sight
    frames[frame].isChanged = true
  }

  /// Visits everything that was seen, stream by stream and in offset order.
  func forEach(_ body: (_ stream: Int, _ offset: Offset, Sight) throws(BrokerError) -> Void) throws(BrokerError) {
    for key in places.keys.sorted() {
      for index in 0..<Self.blockSights {
        guard let frame = try frame(of: key, isMade: false) else { break }
        let sight = block(frame)[index]
        if sight.marks.isEmpty { continue }
        try body(key.stream, key.number << Self.blockBits + Int64(index), sight)
      }
    }
  }

  /// Forgets everything, and gives its memory back.
  func removeAll() {
    for slab in slabs { slab.deallocate() }
    (slabs, frames, places, hand, latest) = ([], [], [:], 0, nil)
  }

  private static func index(_ offset: Offset) -> Int { Int(offset & Int64(blockSights - 1)) }

  private func block(_ frame: Int) -> UnsafeMutableBufferPointer<Sight> {
    let start = frame % Self.slabBlocks * Self.blockSights
    return UnsafeMutableBufferPointer(rebasing: slabs[frame / Self.slabBlocks][start..<start + Self.blockSights])
  }

  /// Where a block lies in memory, after it was read or made; `nil` when there is none.
  private func frame(of key: BlockKey, isMade: Bool) throws(BrokerError) -> Int? {
    if let latest, latest.key == key { return latest.frame }
    let known = places[key]
    if known == nil && !isMade { return nil }
    let frame: Int
    if let known, known.frame >= 0 {
      frame = Int(known.frame)
    } else {
      frame = try freeFrame(for: key)
      let slot = known?.slot ?? Int32(places.count)
      if known == nil {
        block(frame).update(repeating: Sight())
      } else {
        try storage.read(into: UnsafeMutableRawBufferPointer(block(frame)), at: Int64(slot) * Int64(Self.blockBytes))
      }
      places[key] = Place(slot: slot, frame: Int32(frame))
    }
    frames[frame].wasUsed = true
    latest = (key, frame)
    return frame
  }

  /// A frame that is nobody's: a new one while there may be more, else that of a block that nobody used for long.
  private func freeFrame(for key: BlockKey) throws(BrokerError) -> Int {
    latest = nil
    if frames.count < limit {
      if frames.count % Self.slabBlocks == 0 {
        slabs.append(.allocate(capacity: min(Self.slabBlocks, limit - frames.count) * Self.blockSights))
      }
      frames.append(Frame(key: key))
      return frames.count - 1
    }
    while frames[hand].wasUsed {
      frames[hand].wasUsed = false
      hand = (hand + 1) % frames.count
    }
    let frame = hand
    hand = (hand + 1) % frames.count
    let old = frames[frame].key
    guard let place = places[old] else { preconditionFailure("a block in memory has a place") }
    if frames[frame].isChanged {
      try storage.write(UnsafeRawBufferPointer(block(frame)), at: Int64(place.slot) * Int64(Self.blockBytes))
    }
    places[old]?.frame = -1
    frames[frame] = Frame(key: key)
    return frame
  }
}
