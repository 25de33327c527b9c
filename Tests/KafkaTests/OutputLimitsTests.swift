import OrderStreamCore
import Testing

@testable import OrderStreamKafka

/// What outputs take, and what the client is told of it.
@Suite struct OutputLimitsTests {
  private func fits(_ count: Int, of limits: OutputLimits, on output: Int) -> Bool {
    [UInt8](repeating: 0, count: count).withUnsafeBytes {
      limits.takes(OutgoingRecord(partition: 0, timestampMs: 0, key: nil, value: $0), on: output)
    }
  }

  @Test("A record counts with what its batch adds, against its own output")
  func takes() {
    let limits = OutputLimits(bytes: [10_000, 20_000])
    #expect(fits(10_000 - 128, of: limits, on: 0) && !fits(10_000 - 127, of: limits, on: 0))
    #expect(fits(20_000 - 128, of: limits, on: 1) && !fits(20_000 - 127, of: limits, on: 1))
  }

  @Test("The client sends the largest record of any output, and no batch beyond the smallest limit")
  func settings() {
    func settings(_ bytes: [Int]) -> [String: String] {
      Dictionary(uniqueKeysWithValues: OutputLimits(bytes: bytes).settings.map { ($0.key, $0.value) })
    }
    #expect(settings([]) == ["message.max.bytes": "1048588", "batch.size": "1000000"])
    #expect(settings([1_048_588, 5_242_880]) == ["message.max.bytes": "5242880", "batch.size": "1000000"])
    #expect(settings([1_048_588, 50_000]) == ["message.max.bytes": "1048588", "batch.size": "50000"])
  }

  @Test("Brokers that refuse what they should take are tried with less, down to 4 kB")
  func lowered() {
    var limits = OutputLimits(bytes: [1_048_588, 1_048_588])
    var steps: [Int] = []
    while limits.lower(1) { steps.append(limits.bytes[1]) }
    #expect(steps == [262_147, 65_536, 16_384, 4096] && limits.bytes[0] == 1_048_588)
  }
}
