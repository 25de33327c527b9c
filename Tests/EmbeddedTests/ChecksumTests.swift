import CCRC32C
import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamEmbedded

@Suite struct ChecksumTests {
  @Test("CRC32C has the check value of RFC 3720")
  func checkValue() {
    let digits = Array("123456789".utf8)
    #expect(crc32c_extend(0, digits, digits.count) == 0xe306_9283)
    #expect(crc32c_extend(0, digits, 0) == 0)
  }

  @Test("The processor's instruction and the tables agree at every length and split")
  func agreement() {
    var random = SeededRandom(seed: 3)
    let bytes = (0..<9000).map { _ in UInt8.random(in: 0...255, using: &random) }
    bytes.withUnsafeBytes { buffer in
      let start = buffer.baseAddress!
      for length in Array(0..<300) + [767, 768, 769, 6143, 6144, 6145, 9000] {
        let expected = crc32c_extend_portable(5, start, length)
        #expect(crc32c_extend(5, start, length) == expected)
        let split = length / 3
        #expect(crc32c_extend(crc32c_extend(5, start, split), start + split, length - split) == expected)
      }
    }
  }

  @Test("A flush holds the lock shorter after it was held too long, and more after it was short")
  func budget() {
    var budget = FlushBudget()
    for _ in 0..<20 { budget.learn(used: budget.bytes, nanoseconds: 100_000_000) }
    #expect(budget.bytes == FlushBudget.least)
    for _ in 0..<20 { budget.learn(used: budget.bytes, nanoseconds: 1_000_000) }
    #expect(budget.bytes == FlushBudget.most)
  }
}
