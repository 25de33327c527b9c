import OrderStreamTestSupport
import Testing

@testable import OrderStreamCore

@Suite("The report of a witness")
struct WitnessReportTests {
  private static func report(uncommitted: Bool = true, isCompared: Bool = true) -> WitnessReport {
    var input = WitnessFindings.TopicFindings(topic: "in", hasUncommitted: uncommitted)
    input.committed = 12
    if uncommitted { input.uncommitted = 14 }
    input.isKnown = true
    var output = WitnessFindings.TopicFindings(topic: "out", hasUncommitted: uncommitted)
    output.isKnown = true
    output.madeAnew = 1
    input.add(.changed, partition: 2, offset: 1047, reader: .committed) { "this\u{1b}, then that" }
    var witness = WitnessFindings(input: input, output: output)
    witness.isCompared = isCompared
    let audit = AuditReport(topic: "in", outputTopic: "out", findings: AuditFindings(), group: "g")
    return WitnessReport(
      topic: "in", outputTopic: "out", witness: witness, audit: isCompared ? audit : nil,
      completion: isCompared ? .whole : .ongoing)
  }

  private static func document(_ report: WitnessReport) throws -> DocumentValue {
    let buffer = ByteBuffer()
    ReportFrame(broker: "b", elapsedMilliseconds: 5, activeMilliseconds: 4).append(report, to: buffer)
    #expect(Schemas.shared.problems(of: Array(buffer.bytes)) == [])
    return try #require(DocumentValue(parsing: buffer.bytes))
  }

  @Test("its text ends with what the witness found, and its coordinates")
  func text() {
    let text = ReportText()
    Self.report().appendText(to: text)
    let lines = String(decoding: text.buffer.bytes, as: UTF8.self)
    #expect(lines.hasPrefix("Audit of in against out\n"))
    #expect(
      lines.hasSuffix(
        """

        Witness of in and out
          Order records seen         12 committed, 14 uncommitted
          Event records seen         0 committed, 0 uncommitted
          Aborted, seen committed    0
          Changed                    1
          Vanished                   0
          Skipped                    0
          Went back                  0
          Made anew                  out, 1 time
          Witness                    VIOLATED

          changed: in[2]@1047, committed reader
            this\u{1b}, then that

        """))
  }

  @Test("its document has the audit's keys too; what is not known yet is null, and so is what a broker has no view of")
  func documents() throws {
    let last = try Self.document(Self.report())
    #expect(last["orders"] == .integer(0) && last["group"]?.text == "g" && last["latency_ms"]?["count"] == .integer(0))
    #expect(
      last["witness"]?["input"]?["changed"] == .integer(1) && last["witness"]?["output"]?["vanished"] == .integer(0))
    let live = try Self.document(Self.report(isCompared: false))
    #expect(live["orders"] == .null && live["claims"] == nil && live["complete"] == .bool(false))
    #expect(live["witness"]?["input"]?["changed"] == .integer(1) && live["witness"]?["input"]?["vanished"] == .null)
    let embedded = try Self.document(Self.report(uncommitted: false))["witness"]?["input"]
    #expect(
      embedded?["uncommitted"] == .null && embedded?["aborted_seen"] == .null && embedded?["skipped"] == .integer(0))
  }

  @Test("each anomaly is a claim, open while nothing is compared")
  func claims() {
    let whole = Self.report().claims
    #expect(whole.filter { $0.holds == false }.map(\.text) == ["no offset held two different records"])
    #expect(whole.count { $0.holds == nil } == 0 && whole.count == 12)
    var open = Self.report(isCompared: false)
    open.completion = .cutShort(.init(by: "--timeout", after: 12, of: nil))
    #expect(open.claims.map(\.holds) == whole.map { $0.holds == false ? false : nil })
    #expect(Self.report(uncommitted: false).claims.count == 11)
  }
}
