import Foundation
import OrderStreamTestSupport
import Testing

@testable import OrderStreamCore

/// The JSON documents, read by Foundation: the keys that scripts rely on, and their types.
@Suite struct DocumentTests {
  static func document(_ report: some Report, active: Int64?) throws -> [String: Any] {
    let buffer = ByteBuffer()
    ReportFrame(broker: "a \"broker\"", elapsedMilliseconds: 12, activeMilliseconds: active)
      .append(report, to: buffer)
    let bytes = Data(buffer.bytes)
    #expect(Schemas.shared.problems(of: bytes) == [])
    #expect(bytes.last == 0x0A && bytes.count { $0 == 0x0A } == 1, "one document a line")
    let document = try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
    #expect(document["schema"] as? String == "orderstream.\(report.command)/\(report.schemaVersion)")
    #expect(document["broker"] as? String == "a \"broker\"" && document["elapsed_ms"] as? Int == 12)
    #expect(document["active_ms"] as? Int64 == active)
    return document
  }

  private func expect(_ document: [String: Any], has keys: String) {
    for key in keys.split(separator: " ").map(String.init) {
      #expect(document[key] != nil && !(document[key] is NSNull), "\(key)")
    }
  }

  private static let reader = GroupReader(topic: "t", group: "g")

  private static let analyticsKeys =
    "total_orders failed_orders failure_rate_percent average_orders_per_minute current_orders_per_minute "
    + "current_minute orders_by_minute failed_by_minute rejected"

  @Test func analytics() throws {
    var report = MetricsReport(ReportTests.summary(rejected: 2), processed: 77)
    report.reader = Self.reader
    let document = try Self.document(report, active: 3)
    #expect(document["topic"] as? String == "t" && document["group"] as? String == "g")
    expect(document, has: Self.analyticsKeys + " processed active_ms lost_to_retention")
    #expect(document["total_orders"] as? Int == 10_000 && document["failed_orders"] as? Int == 512)
    #expect(document["failure_rate_percent"] as? Double == 5.12)
    #expect(document["average_orders_per_minute"] as? Double == 1428.57)
    #expect(document["current_orders_per_minute"] as? Int == 1398)
    #expect(document["current_minute"] as? String == "2024-01-15T10:36")
    let byMinute = document["orders_by_minute"] as? [String: Int]
    #expect(byMinute?["2024-01-15T10:30"] == 1423 && byMinute?.count == 7)
    #expect((document["failed_by_minute"] as? [String: Int])?["2024-01-15T10:31"] == 66)
    #expect(document["rejected"] as? Int == 2 && document["processed"] as? Int == 77)
    var empty = MetricsReport(MetricsSummary(minutes: MinuteTable(), rejected: 0), processed: 0)
    empty.reader = Self.reader
    let nothing = try Self.document(empty, active: 0)
    #expect(nothing["current_minute"] is NSNull && nothing["current_orders_per_minute"] as? Int == 0)
    #expect((nothing["orders_by_minute"] as? [String: Int])?.isEmpty == true)
    #expect(nothing["failure_rate_percent"] as? Double == 0)
  }

  @Test func liveAnalytics() throws {
    let summary = ReportTests.summary(rejected: 2)
    let changed = [MetricsTotals.Minute(minute: summary.minutes[1].minute, orders: 5, failed: 2)]
    var line = LiveMetricsReport(
      summary.totals, changed: changed, processed: 7, lostRecords: 0, latency: ReportTests.latency)
    var last = MetricsReport(summary, processed: 7, changed: changed, latency: ReportTests.latency)
    (line.reader, last.reader) = (Self.reader, Self.reader)
    for (report, isLast) in [(line as any Report, false), (last, true)] {
      let document = try Self.document(report, active: 3)
      #expect(document["schema"] as? String == "orderstream.analytics/2")
      #expect(document["complete"] as? Bool == isLast && document["total_orders"] as? Int == 10_000)
      #expect(document["changed_by_minute"] as? [String: Int] == ["2024-01-15T10:31": 5])
      #expect((document["latency_ms"] as? [String: Any])?["count"] as? Int == 4)
      #expect(document["changed_failed_by_minute"] as? [String: Int] == ["2024-01-15T10:31": 2])
      #expect((document["orders_by_minute"] as? [String: Int])?.count == (isLast ? 7 : nil))
      #expect((document["failed_by_minute"] == nil) == !isLast)
    }
  }

  @Test func replay() throws {
    let same = ReplayReport(
      topic: "t", initial: ReportTests.summary(), replay: ReportTests.summary(), initialFile: "a", replayFile: "b",
      goneRanges: [])
    let document = try Self.document(same, active: 3)
    #expect(document["match"] as? Bool == true && document["first_difference"] is NSNull)
    for key in ["initial", "replay"] {
      expect(try #require(document[key] as? [String: Any]), has: Self.analyticsKeys)
    }
    #expect((document["records_gone"] as? [String])?.isEmpty == true)
    var other = same
    other = ReplayReport(
      topic: "t", initial: ReportTests.summary(), replay: ReportTests.summary(rejected: 1), initialFile: "a",
      replayFile: "b", goneRanges: ["t[0]@0 to 6"])
    let difference = try #require(try Self.document(other, active: 3)["first_difference"] as? [String: Any])
    #expect(difference["line"] as? Int == 7 && difference["initial"] as? String == "  Rejected records           0")
    #expect(difference["replay"] as? String == "  Rejected records           1")
    #expect(
      ReportTests.text(other) == """
        Replay of t
          Orders, first pass         10000
          Orders, replay             10000
          Reports                    a b
          Result                     MISMATCH
          First difference           line 7: first "  Rejected records           0", \
        after the replay "  Rejected records           1"
          Records gone               t[0]@0 to 6

        """)
    #expect(ReportTests.text(same).contains("  Result                     match: the two reports are the same bytes\n"))
  }

  @Test func aReplayThatWasCutShort() throws {
    for initial in [nil, ReportTests.summary()] {
      let cut = Completion.cutShort(Completion.CutShort(by: "SIGINT", after: 3, of: 9))
      let report = ReplayReport.CutShort(topic: "t", initial: initial, completion: cut)
      #expect(try Self.document(report, active: 3)["match"] is NSNull)
    }
    let plan = try Self.document(ReplayPlan(topic: "t", group: "g"), active: nil)
    #expect(plan["executed"] as? Bool == false)
  }

  @Test func status() throws {
    var report = StatusReportTests.report
    #expect(try Self.document(report, active: nil)["groups_reason"] as? String == "a broker is silent")
    report.topics[0].look.placements = (0..<4).map {
      PartitionPlacement(leader: $0 == 3 ? nil : 1, replicas: [1, 2], inSync: $0 == 1 ? [1] : [1, 2])
    }
    report.cluster = ClusterDescription(id: nil, brokers: [.init(id: 1, address: "a:9092")])
    #expect(try Self.document(report, active: nil)["cluster"] != nil)
  }

  @Test func produce() throws {
    let document = try Self.document(ReportTests.produce, active: 4)
    expect(
      document,
      has: "requested acknowledged failed_deliveries possibly_duplicated failed_orders rejected events_per_second "
        + "partitions seed first_order active_ms")
    #expect(document["partitions"] as? [String: Int] == ["0": 4, "1": 5])
    #expect(document["seed"] as? UInt64 == .max && document["events_per_second"] as? Int == 2250)
    let input = ProduceReport(topic: "t", deliveries: DeliveryCounts(partitionCount: 1))
    let other = try Self.document(input, active: 4)
    for key in ["latency_ms", "latency_first_second_ms"] {
      let none = try #require(other[key] as? [String: Any])
      #expect(none["count"] as? Int == 0 && none.values.filter { $0 is NSNull }.count == 5)
    }
    #expect((other["latency_buckets"] as? [Any])?.isEmpty == true)
    #expect(other["seed"] is NSNull && other["first_order"] is NSNull)
  }

  @Test func latency() throws {
    var report = ReportTests.produce
    report.latency = ReportTests.latency
    let buffer = ByteBuffer()
    ReportFrame(broker: "b", elapsedMilliseconds: 5, activeMilliseconds: 4).append(report, to: buffer)
    let text = String(decoding: buffer.bytes, as: UTF8.self)
    #expect(
      text.contains(
        #""latency_ms":{"p50":1.204,"p90":21.304,"p99":21.304,"p999":21.304,"max":21.304,"count":4},"#
          + #""latency_first_second_ms":{"p50":132.204,"p90":132.204,"p99":132.204,"p999":132.204,"max":132.204,"#
          + #""count":5},"#
          + #""latency_buckets":[{"le_ms":1.250,"count":3},{"le_ms":1.600,"count":0}"#))
    #expect(text.contains(#"{"le_ms":20.000,"count":0},{"le_ms":25.000,"count":1}],"#))
  }

  @Test func inventory() throws {
    let counts = InventoryProjection.Counts(orders: 3, items: 7, reserved: 5, released: 2, rejected: 1)
    var report = InventoryReport(outputTopic: "o", counts: counts, lostRecords: 6)
    report.reader = Self.reader
    let document = try Self.document(report, active: 4)
    for (key, value) in ["orders": 3, "items": 7, "reserved": 5, "released": 2, "rejected": 1, "lost_to_retention": 6] {
      #expect(document[key] as? Int == value)
    }
  }

  @Test func lagDemo() throws {
    let document = try Self.document(ReportTests.lag, active: 4)
    expect(document, has: "produced consumed lost duplicated peak_lag drain_ms samples active_ms")
    let samples = try #require(document["samples"] as? [[String: Any]])
    #expect(samples.count == 4)
    #expect(
      samples[1] as NSDictionary
        == ["t_ms": 100, "produced": 10, "consumed": 3, "lag": 7, "lag_by_partition": [3, NSNull(), 4]])
    #expect(samples[3]["lag_by_partition"] is NSNull)
    #expect(samples[2]["lag"] is NSNull && document["peak_lag"] as? Int == 7)
    let empty = try Self.document(LagReport(topic: "t", group: "g"), active: 4)
    #expect(
      (empty["samples"] as? [Any])?.isEmpty == true && empty["drain_ms"] is NSNull && empty["peak_lag"] is NSNull)
  }

  @Test func audit() throws {
    let document = try Self.document(ReportTests.audit, active: 4)
    expect(
      document,
      has: "orders items inventory_events rejected lost duplicated phantom wrong_action reordered pending other "
        + "unverifiable violations")
    let violations = try #require(document["violations"] as? [[String: Any]])
    #expect(violations.map { $0["verdict"] as? String } == ["wrong_action", "lost", "phantom"])
    #expect(violations[0]["found"] as? String == "that\u{1b}" && violations[0]["output"] as? String == "out[2]@7")
    #expect(violations[1]["output"] is NSNull && violations[2]["source"] is NSNull)
    let clean = try Self.document(
      AuditReport(topic: "i", outputTopic: "o", findings: AuditFindings()), active: 4)
    #expect((clean["violations"] as? [Any])?.isEmpty == true)
    for key in AuditFindings.Verdict.ofEvents.map(\.rawValue) { #expect(clean[key] as? Int == 0) }
  }
}
