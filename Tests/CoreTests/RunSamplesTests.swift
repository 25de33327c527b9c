import Testing

@testable import OrderStreamCore

/// A run over time, bounded for runs of any length.
@Suite("Samples of a run")
struct RunSamplesTests {
  private static let step = RunSamples.shortestInterval.nanoseconds

  @Test(
    "a sample is due every 100 ms, and less often the longer the run is", arguments: [1, 240, 241, 10_000, 200_000])
  func bounded(offers: Int) {
    var samples = RunSamples(.acknowledged, since: 5)
    for index in 0..<offers {
      let now = 5 + Int64(index) * Self.step
      if samples.isDue(at: now) { samples.take(at: now, Int64(index), [Int64(index), nil]) }
    }
    samples.take(at: 5 + Int64(offers) * Self.step, Int64(offers), nil)
    let taken = samples.samples
    #expect(taken.count <= RunSamples.limit && taken.count >= min(offers, RunSamples.limit / 2))
    #expect(taken.last == .init(milliseconds: Int64(offers) * 100, count: Int64(offers), partitions: nil))
    #expect(taken.dropLast().allSatisfy { $0.count * 100 == $0.milliseconds && $0.partitions == [$0.count, nil] })
    #expect(zip(taken, taken.dropFirst()).allSatisfy { $0.milliseconds < $1.milliseconds })
    // About evenly.
    let gaps = zip(taken, taken.dropFirst()).map { $1.milliseconds - $0.milliseconds }
    #expect((gaps.max() ?? 100) <= 3 * max(100, Int64(offers) * 100 / Int64(RunSamples.limit / 2)))
  }

  @Test("the peak of a lag outlives the merging, and what is not known does not hide it")
  func peak() {
    var samples = RunSamples(.processed, since: 0)
    for index in 0..<5000 {
      let now = Int64(index) * Self.step
      guard samples.isDue(at: now) else { continue }
      samples.take(at: now, Int64(index), index == 130 ? [900, 99] : index % 2 == 1 ? [nil, 1] : [1, 1])
    }
    #expect(samples.samples.contains { $0.partitions == [900, 99] && $0.milliseconds == 13_000 })
  }

  @Test("a document has them by partition, up to a number that somebody looks at")
  func document() throws {
    let few = Array(repeating: Int64?(7), count: RunSamples.partitionLimit)
    var samples = RunSamples(.processed, since: 0)
    samples.take(at: 3_000_000, 5, [1, nil])
    samples.take(at: 3_900_000, 6, few)
    samples.take(at: 9_000_000, 8, few + [1])
    func text(_ samples: RunSamples) -> String {
      let buffer = ByteBuffer()
      var json = JSONWriter(buffer)
      json.beginObject()
      samples.appendMembers(to: &json)
      json.endObject()
      return String(decoding: buffer.bytes, as: UTF8.self)
    }
    let sevens = Array(repeating: "7", count: few.count).joined(separator: ",")
    #expect(
      text(samples) == #"{"samples":[{"t_ms":3,"processed":6,"lag":[\#(sevens)]},{"t_ms":9,"processed":8,"lag":null}]}"#
    )
    var acknowledged = RunSamples(.acknowledged, since: 0)
    #expect(text(acknowledged) == #"{"samples":[]}"#)
    acknowledged.take(at: 1, 4, [1, 3])
    #expect(text(acknowledged) == #"{"samples":[{"t_ms":0,"acknowledged":4,"partitions":[1,3]}]}"#)
  }
}
