import OrderStreamCore
import Testing

@Suite struct SeededRandomTests {
  @Test func theSequenceIsSplitMix64() {
    var random = SeededRandom(seed: 1_234_567)
    let expected: [UInt64] = [
      6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423, 4_593_380_528_125_082_431,
      16_408_922_859_458_223_821,
    ]
    #expect(expected.map { _ in random.next() } == expected)
  }

  @Test func anElementsSequenceStartsAtItsOutput() {
    var whole = SeededRandom(seed: 7)
    for index in 0..<10 as Range<UInt64> {
      var element = SeededRandom(seed: 7, index: index)
      var copy = SeededRandom(seed: whole.next())
      #expect(element.next() == copy.next())
    }
  }

  @Test func boundedNumbersAreInRangeAndEven() {
    var random = SeededRandom(seed: 1)
    var counts = [Int](repeating: 0, count: 10)
    for _ in 0..<20_000 { counts[Int(random.below(10))] += 1 }
    #expect(counts.allSatisfy { (1800...2200).contains($0) })
    #expect((0..<100).allSatisfy { _ in random.below(1) == 0 })
    #expect((0..<1000).allSatisfy { _ in random.below(1 << 63 + 1) <= 1 << 63 })
  }
}
