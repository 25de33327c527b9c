import OrderStreamTestSupport
import Testing

@testable import OrderStreamCore

@Suite("The spool of a witness")
struct WitnessSpoolTests {
  private final class Storage: WitnessStorage {
    var blocks: [Int64: [UInt8]] = [:]
    var room = Int.max

    func read(into bytes: UnsafeMutableRawBufferPointer, at position: Int64) throws(BrokerError) {
      guard let block = blocks[position] else { preconditionFailure("only what was written is read") }
      bytes.copyBytes(from: block)
    }

    func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws(BrokerError) {
      if blocks[position] == nil, blocks.count >= room {
        throw BrokerError(.diskFull, "cannot write", why: "no room left")
      }
      blocks[position] = Array(bytes)
    }
  }

  private struct Key: Hashable {
    var stream: Int
    var offset: Offset
  }

  @Test("holds what was put in, whatever lies in memory", arguments: [1, 3, 64])
  func random(_ residentBlocks: Int) throws {
    let storage = Storage()
    let spool = WitnessSpool(storage, residentBlocks: residentBlocks)
    var random = SeededRandom(seed: 15)
    var expected: [Key: UInt64] = [:]
    for _ in 0..<20_000 {
      // Gaps as a compacted topic has them.
      let far: Int64 = Bool.random(using: &random) ? 0 : 1 << 50
      let key = Key(
        stream: Int.random(in: 0..<4, using: &random), offset: far + Int64.random(in: 0..<4000, using: &random))
      #expect(try spool.sight(key.stream, key.offset).digest == expected[key] ?? 0)
      var sight = Sight()
      sight.digest = UInt64.random(in: .min ... .max, using: &random)
      sight.marks = .committed
      try spool.set(sight, key.stream, key.offset)
      expected[key] = sight.digest
    }
    #expect(storage.blocks.count > (residentBlocks > 3 ? 60 : 120))
    var last = Key(stream: -1, offset: 0)
    var found: [Key: UInt64] = [:]
    try spool.forEach { stream, offset, sight throws(BrokerError) in
      #expect((stream, offset) > (last.stream, last.offset))
      last = Key(stream: stream, offset: offset)
      found[last] = sight.digest
    }
    #expect(found == expected)
    spool.removeAll()
    #expect(try spool.sight(0, 0).marks.isEmpty)
  }

  @Test("a full disk is an error, and nothing that was put in before is lost")
  func fullDisk() throws {
    let storage = Storage()
    storage.room = 2
    let spool = WitnessSpool(storage, residentBlocks: 2)
    var sight = Sight()
    sight.marks = .uncommitted
    for block in 0..<4 as Range<Int64> { try spool.set(sight, 0, block << 8) }
    let error = #expect(throws: BrokerError.self) { try spool.set(sight, 0, 4 << 8) }
    #expect(error?.code == .diskFull)
    storage.room = .max
    for block in 0..<4 as Range<Int64> { #expect(try spool.sight(0, block << 8).marks == .uncommitted) }
  }

  @Test("a sight keeps its time and its marks apart")
  func sight() {
    for time: Int64 in [-1, 0, 1, 1_705_314_600_123, 1 << 46] {
      var sight = Sight()
      sight.marks = [.committed, .told]
      sight.timestampMs = time
      sight.marks.insert(.checkedUncommitted)
      #expect(sight.timestampMs == time && sight.marks == [.committed, .told, .checkedUncommitted])
    }
    var sight = Sight()
    sight.timestampMs = .max
    #expect(sight.timestampMs == 1 << 47 - 1 && sight.marks.isEmpty)
    #expect(MemoryLayout<Sight>.stride == 16)
  }
}
