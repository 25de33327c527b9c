import OrderStreamCore
import Testing

@Suite struct PartitionerTests {
  /// The vectors of Apache Kafka's `UtilsTest.testMurmur2`.
  static let vectors: [(String, Int32)] = [
    ("21", -973_932_308), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536),
    ("a-little-bit-longer-string", -1_486_304_829), ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
    ("abc", 479_470_107),
  ]

  @Test func murmur2HashesAsJavaDoes() {
    for (key, hash) in Self.vectors {
      #expect(Array(key.utf8).withUnsafeBytes { Partitioner.murmur2($0) } == hash, "\(key)")
    }
    #expect(Partitioner.murmur2(UnsafeRawBufferPointer(start: nil, count: 0)) == 275_646_681)
  }

  @Test func aNegativeHashStillGivesAPartition() {
    for (key, hash) in Self.vectors {
      for count in [1, 6, 7, Int32.max] as [Int32] {
        let partition = Array(key.utf8).withUnsafeBytes { Partitioner.partition(key: $0, count: count) }
        #expect(partition == (hash & 0x7fff_ffff) % count)
        #expect(partition >= 0 && partition < count)
      }
    }
  }
}
