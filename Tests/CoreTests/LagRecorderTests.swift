import OrderStreamTestSupport
import Testing

@testable import OrderStreamCore

@Suite struct LagRecorderTests {
  private func verdict(_ commits: [[Int64]], produced: Int64 = 5) -> [Int64] {
    let recorder = LagRecorder(firstOrder: 10, count: 5)
    for numbers in commits { recorder.commit(numbers) }
    let verdict = recorder.verdict(produced: produced, lag: 0)
    return [recorder.consumed, verdict.lost, verdict.duplicated]
  }

  @Test("Every order seen once is neither lost nor duplicated, in any order")
  func clean() {
    #expect(verdict([[10, 11], [14, 12, 13]]) == [5, 0, 0])
    #expect(verdict([], produced: 0) == [0, 0, 0])
  }

  @Test("What is missing is lost, and what comes again, or is a stranger, is duplicated")
  func violations() {
    #expect(verdict([]) == [0, 5, 0])
    #expect(verdict([[10, 11, 13, 14]]) == [4, 1, 0])
    #expect(verdict([[10, 11, 12, 13, 14], [12]]) == [6, 0, 1])
    #expect(verdict([[10, 10, 10], [11, 12, 13]]) == [6, 1, 2])
    #expect(verdict([[10, 11, 12, 13, 14, 15, 9, -1, 0, .max]]) == [10, 0, 5])
    #expect(verdict([Array(repeating: 10, count: 1000)]) == [1000, 4, 999])
  }

  @Test("Orders of an aborted transaction are not seen")
  func processor() throws {
    let recorder = LagRecorder(firstOrder: 1, count: 3)
    let processor = LagProcessor(recorder: recorder)
    let records = batch([
      TestRecord(key: "order_000001", value: "v"), TestRecord(key: "order_2", value: "v"), TestRecord(value: "v"),
      TestRecord(key: "stranger", value: "v"),
    ])
    try processor.apply(records, 0..<4, to: RecordingTransaction())
    processor.forgetAll()
    processor.committed()
    #expect(recorder.consumed == 0)
    try processor.apply(records, 0..<2, to: RecordingTransaction())
    #expect(recorder.consumed == 0)
    processor.committed()
    processor.committed()
    #expect(recorder.consumed == 2 && recorder.verdict(produced: 3, lag: 0) == (1, 0))
    try processor.apply(records, 2..<4, to: RecordingTransaction())
    processor.committed()
    #expect(recorder.verdict(produced: 3, lag: 0) == (1, 2))
  }

  @Test("What is not consumed yet is not lost")
  func notConsumedYet() {
    let recorder = LagRecorder(firstOrder: 1, count: 5)
    recorder.commit([1, 2])
    #expect(recorder.verdict(produced: 5, lag: 3) == (0, 0))
    #expect(recorder.verdict(produced: 5, lag: 2) == (1, 0))
  }
}
