import OrderStreamTestSupport
import Testing

@testable import OrderStreamCore

@Suite struct ReceiptRecorderTests {
  private let options = OrderGenerator.Options(seed: 1, firstOrder: 10, count: 1_000_000)

  private func recorder(partitions: Int32 = 2, overflow: @escaping @Sendable () -> Void = {}) -> ReceiptRecorder {
    ReceiptRecorder(ReceiptText.head(partitions: partitions, .orders(options)), overflow: overflow)
  }

  private func acknowledge(
    _ recorder: ReceiptRecorder, _ sequence: Int64, _ partition: Int32, _ offset: Offset?, _ text: String = "text"
  ) {
    var text = text
    text.withUTF8 { bytes in
      recorder.acknowledged(
        AcknowledgedRecord(
          sequence: sequence, partition: partition, offset: offset, key: nil, value: UnsafeRawBufferPointer(bytes)))
    }
  }

  @Test("a chunk ends before a lower offset and before a lower number, and gaps part its ranges")
  func chunks() throws {
    let recorder = recorder()
    recorder.together {
      for (sequence, offset) in [(0, 5), (1, 6), (4, 9), (5, 8), (6, 20), (3, 21), (7, 22)] as [(Int64, Offset)] {
        acknowledge(recorder, sequence, 1, offset)
      }
      acknowledge(recorder, 2, 0, 0)
    }
    let chunks = try recorder.receipt(sent: 8).partitions.map(\.chunks)
    #expect(chunks[1].map(\.offsets) == [[5...6, 9...9], [8...8, 20...20], [21...22]])
    #expect(chunks[1].map(\.orders) == [10...14, 15...16, 13...17])
    #expect(chunks[0].map(\.offsets) == [[0...0]])
  }

  @Test("an open chunk is written as it stands when it has grown, and only then")
  func openChunks() throws {
    let recorder = recorder()
    let lines = ByteBuffer()
    func newLines() -> Int {
      lines.removeAll()
      _ = recorder.takeLines(into: lines)
      return lines.bytes.count { $0 == UInt8(ascii: "\n") }
    }
    #expect(newLines() == 1)
    recorder.together { acknowledge(recorder, 0, 0, 0) }
    #expect(newLines() == 1)
    #expect(newLines() == 0)
    recorder.together {
      for sequence in 1..<1500 as Range<Int64> { acknowledge(recorder, sequence, 0, sequence, "\(sequence)") }
      acknowledge(recorder, 1500, 1, 0)
    }
    #expect(newLines() == 3)
    recorder.together {
      for sequence in 1501..<2001 as Range<Int64> { acknowledge(recorder, sequence, 0, sequence - 1) }
    }
    // It became whole, and there is nothing of the next one.
    #expect(newLines() == 1)
    recorder.end(sent: 2001, at: 0)
    #expect(newLines() == 1)
    recorder.together { acknowledge(recorder, 2001, 0, 2001) }
    #expect(newLines() == 0, "what comes behind the tail is not heard")
  }

  @Test("what nothing was told of is unknown, and numbers that follow each other are one range")
  func unanswered() throws {
    let recorder = recorder(partitions: 1)
    recorder.together {
      for sequence in (0..<100_000 as Range<Int64>) where !(sequence == 77 || (500...900).contains(sequence)) {
        if sequence % 10 == 3 {
          recorder.failed(sequence, mayBeOnLog: sequence > 99_000)
        } else {
          acknowledge(recorder, sequence, 0, sequence)
        }
      }
    }
    let tail = try #require(try recorder.receipt(sent: 100_002).tail)
    #expect(tail.unknown == 1 + 401 + 2 + 100 && !tail.isComplete)
    #expect(tail.unknownOrders.prefix(2) == [87...87, 510...910] && tail.unknownOrders.last == 100_010...100_011)
    #expect(tail.failed + tail.unknown + tail.acknowledged == 100_002)
    #expect(tail.failedOrders.first == 13...13 && tail.failedOrders.count == tail.failed)
  }

  @Test("answers in any order leave nothing behind")
  func window() {
    var random = SeededRandom(seed: 5)
    var window = SequenceWindow()
    var left = Set<Int64>()
    for start in stride(from: 0 as Int64, to: 200_000, by: 1000) {
      for sequence in (start..<start + 1000).shuffled(using: &random) {
        if sequence % 9973 == 0 { left.insert(sequence) } else { window.insert(sequence) }
      }
      if start == 100_000 {
        for sequence in left { window.insert(sequence) }
        left = []
        #expect(window.missing(below: start + 1000).isEmpty)
      }
    }
    #expect(window.missing(below: 200_000).map(\.lowerBound) == left.sorted())
    #expect(window.missing(below: 0).isEmpty)
  }

  @Test("a receipt lists as many ranges as it may, those that are one are merged first")
  func ranges() {
    var ranges = NumberRanges()
    // Two interleaved halves, as partitions have them.
    for sequence in stride(from: 0 as Int64, to: 600_000, by: 2) { ranges.append(sequence) }
    #expect(ranges.ranges(from: 1).count == Receipt.rangeLimit)
    ranges = NumberRanges()
    for start in stride(from: 0 as Int64, to: 600_000, by: 100_000) {
      for sequence in stride(from: start, to: start + 100_000, by: 2) { ranges.append(sequence) }
      for sequence in stride(from: start + 1, to: start + 100_000, by: 2) { ranges.append(sequence) }
    }
    #expect(ranges.ranges(from: 1) == [1...600_000])
  }

  @Test("lines that nobody takes are told of when they become many")
  func overflow() {
    let calls = Calls()
    let recorder = recorder(partitions: 1) { calls.count += 1 }
    recorder.together {
      for sequence in 0..<40_000 as Range<Int64> { acknowledge(recorder, sequence, 0, 40_000 - sequence) }
    }
    #expect(calls.count == 1)
    let lines = ByteBuffer()
    #expect(recorder.takeLines(into: lines) == 40_000)
    recorder.together {}
    #expect(calls.count == 1)
  }

  private final class Calls: @unchecked Sendable {
    // One thread.
    var count = 0
  }
}
