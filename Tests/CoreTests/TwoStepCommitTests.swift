import OrderStreamCore
import Testing

@Suite struct TwoStepCommitTests {
  /// Steps that note what is asked of them, and fail once at one of them.
  private final class Steps: CommitSteps {
    var calls: [String] = []
    var fails: String?

    private func note(_ call: String) throws(BrokerError) {
      calls.append(call)
      guard fails == call else { return }
      fails = nil
      throw BrokerError(.busy, "cannot \(call)", why: "it fails by plan", recovery: .retry)
    }

    func refusal(of record: OutgoingRecord, on output: Int) -> BrokerError? { nil }
    func send(_ record: OutgoingRecord, to output: Int) throws(BrokerError) {
      let key = record.key.map { String(decoding: $0, as: UTF8.self) } ?? "nil"
      let value = record.value.map { String(decoding: $0, as: UTF8.self) } ?? "nil"
      try note("send \(output)/\(record.partition) \(key)=\(value)")
    }
    func flush() throws(BrokerError) { try note("flush") }
    func commit(_ offsets: [PartitionOffset]) throws(BrokerError) { try note("commit") }
    func drop() throws(BrokerError) { try note("drop") }
    func close() { calls.append("close") }
  }

  private func send(_ key: String?, _ value: String?, _ output: Int, to commit: TwoStepCommit) throws {
    let (key, value) = (key.map { Array($0.utf8) }, value.map { Array($0.utf8) })
    try (key ?? []).withUnsafeBytes { keyBytes in
      try (value ?? []).withUnsafeBytes { valueBytes in
        try commit.send(
          OutgoingRecord(
            partition: 3, timestampMs: 7, key: key == nil ? nil : keyBytes, value: value == nil ? nil : valueBytes),
          to: output)
      }
    }
  }

  private static let sends = ["send 0/3 a=1", "send 1/3 nil=nil", "send 0/3 ="]

  private func sendThree(_ commit: TwoStepCommit) throws {
    try send("a", "1", 0, to: commit)
    try send(nil, nil, 1, to: commit)
    try send("", "", 0, to: commit)
  }

  @Test("At least once the outputs come first, and are sent as they come")
  func atLeastOnce() throws {
    let steps = Steps()
    let commit = TwoStepCommit(.atLeastOnce, steps)
    try sendThree(commit)
    #expect(steps.calls == Self.sends && commit.pendingBytes == 2)
    try commit.commit([])
    #expect(steps.calls == Self.sends + ["flush", "commit"] && commit.pendingBytes == 0)
  }

  @Test("At most once the offsets come first, and nothing is sent before")
  func atMostOnce() throws {
    let steps = Steps()
    let commit = TwoStepCommit(.atMostOnce, steps)
    try sendThree(commit)
    #expect(steps.calls.isEmpty && commit.pendingBytes == 2)
    try commit.commit([])
    #expect(steps.calls == ["commit"] + Self.sends + ["flush"] && commit.pendingBytes == 0)
    try commit.commit([])
    #expect(steps.calls.suffix(2) == ["commit", "flush"])
  }

  @Test("A commit that is tried again does not repeat the step that was made")
  func again() throws {
    let steps = Steps()
    let commit = TwoStepCommit(.atLeastOnce, steps)
    try sendThree(commit)
    steps.fails = "commit"
    #expect(throws: BrokerError.self) { try commit.commit([]) }
    try commit.commit([])
    #expect(steps.calls == Self.sends + ["flush", "commit", "commit"])
  }

  @Test("An abort forgets what is held, and the step that was made")
  func abort() throws {
    let steps = Steps()
    let commit = TwoStepCommit(.atMostOnce, steps)
    try sendThree(commit)
    steps.fails = "flush"
    #expect(throws: BrokerError.self) { try commit.commit([]) }
    try commit.abort()
    #expect(commit.pendingBytes == 0)
    steps.calls = []
    try commit.commit([])
    #expect(steps.calls == ["commit", "flush"])
  }
}
