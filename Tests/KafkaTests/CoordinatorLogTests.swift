import Testing

@testable import OrderStreamKafka

@Suite("What the transaction coordinator has written down")
struct CoordinatorLogTests {
  private static func bigEndian<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
  }

  private static func key(_ identity: String, version: Int16 = 0) -> [UInt8] {
    bigEndian(version) + bigEndian(Int16(identity.utf8.count)) + Array(identity.utf8)
  }

  /// One topic with two partitions, as Kafka 4.3.1 and 3.9 write it.
  private static func value(status: Int8, start: Int64, update: Int64, version: Int16, tags: Bool = false) -> [UInt8] {
    var bytes = bigEndian(version) + bigEndian(Int64(8002)) + bigEndian(Int16(1)) + bigEndian(Int32(60_000))
    bytes += bigEndian(status)
    let ids = bigEndian(Int32(0)) + bigEndian(Int32(2))
    if version == 0 {
      bytes += bigEndian(Int32(1)) + bigEndian(Int16(3)) + Array("out".utf8) + bigEndian(Int32(2)) + ids
    } else {
      bytes += [2, 4] + Array("out".utf8) + [3] + ids + (tags ? [1, 7, 2, 0xAA, 0xBB] : [0])
    }
    return bytes + bigEndian(update) + bigEndian(start) + (version == 0 ? [] : [0])
  }

  private static func parse(_ value: [UInt8]) -> CoordinatorLog.Entry? { value.withUnsafeBytes(CoordinatorLog.entry) }

  @Test("both versions of a record are read", arguments: [0, 1] as [Int16])
  func records(version: Int16) {
    for tags in [false, true] {
      for status in [2, 4] as [Int8] {
        let entry = Self.parse(Self.value(status: status, start: 1000, update: 1100, version: version, tags: tags))
        #expect(entry == CoordinatorLog.Entry(outcome: .committed, startMs: 1000, updateMs: 1100))
      }
    }
    #expect(Self.parse(Self.value(status: 5, start: 1, update: 2, version: version))?.outcome == .aborted)
    #expect(Self.parse(Self.value(status: 1, start: 1, update: 2, version: version))?.outcome == nil)
    #expect(Self.parse(Self.value(status: 1, start: 1, update: 2, version: 2)) == nil)
  }

  @Test("a record that is cut off anywhere is no record", arguments: [0, 1] as [Int16])
  func cutOff(version: Int16) {
    let value = Self.value(status: 4, start: 1000, update: 1100, version: version)
    for length in 0..<value.count - (version == 0 ? 0 : 1) { #expect(Self.parse(Array(value.prefix(length))) == nil) }
  }

  @Test("a key is one identity's and no other's")
  func keys() {
    func isKey(_ key: [UInt8], _ identity: String) -> Bool {
      key.withUnsafeBytes { CoordinatorLog.isKey($0, of: identity) }
    }
    #expect(isKey(Self.key("a-0"), "a-0"))
    #expect(!isKey(Self.key("a-0"), "a-1") && !isKey(Self.key("a-00"), "a-0"))
    #expect(!isKey(Self.key("a-0", version: 1), "a-0") && !isKey([], "a-0"))
  }

  @Test(
    "the transaction that hangs is found among others, also by a clock that is an hour off",
    arguments: [0, 3_600_000] as [Int64])
  func choice(skew: Int64) {
    func entry(_ outcome: HangEvidence.Outcome?, _ start: Int64, _ update: Int64) -> CoordinatorLog.Entry {
      CoordinatorLog.Entry(outcome: outcome, startMs: start < 0 ? -1 : start + skew, updateMs: update + skew)
    }
    let log = [
      entry(.aborted, 999_800, 999_850), entry(nil, 1_000_010, 1_000_020), entry(.committed, 1_000_010, 1_000_040),
      entry(nil, -1, 1_030_000), entry(nil, 1_032_000, 1_032_000), entry(.aborted, 1_032_000, 1_032_100),
    ]
    #expect(CoordinatorLog.outcome(log, firstMs: 1_000_000, takenMs: 1_030_001) == .committed)
    #expect(CoordinatorLog.outcome(Array(log.prefix(1)), firstMs: 1_000_000, takenMs: 1_030_001) == .unknown)
    #expect(CoordinatorLog.outcome(log, firstMs: 2_000_000, takenMs: 1_030_001) == .unknown)
    #expect(CoordinatorLog.outcome([], firstMs: 1_000_000, takenMs: 1_030_001) == .unknown)
  }
}
