import Foundation
import Testing

@testable import OrderStreamCore

/// The texts for people, to the byte.
@Suite struct ReportTests {
  static func text(_ report: some Report) -> String {
    let buffer = ByteBuffer()
    report.appendText(to: buffer)
    return String(decoding: buffer.bytes, as: UTF8.self)
  }

  /// The example of the documentation, with its numbers.
  static func summary(rejected: Int64 = 0) -> MetricsSummary {
    var table = MinuteTable()
    // 2024-01-15 10:30 and the six minutes after it.
    let counts: [(UInt32, UInt32)] = [
      (1423, 71), (1409, 66), (1500, 75), (1450, 75), (1420, 75), (1400, 75), (1398, 75),
    ]
    for (index, (orders, failed)) in counts.enumerated().reversed() {
      _ = table.add(minute: 28_421_910 + Int64(index), orders: orders, failed: failed)
    }
    return MetricsSummary(minutes: table, rejected: rejected)
  }

  @Test("The metrics report is the one of the documentation")
  func metrics() {
    #expect(
      Self.text(MetricsReport(Self.summary(), processed: 9)) == """
        Order metrics
          Total orders               10000
          Failed orders              512
          Failure rate               5.12 %
          Average orders per minute  1428.57
          Current orders per minute  1398 (2024-01-15 10:36)
          Rejected records           0

        Orders by minute (UTC)
          2024-01-15 10:30    1423    71 failed
          2024-01-15 10:31    1409    66 failed
          2024-01-15 10:32    1500    75 failed
          2024-01-15 10:33    1450    75 failed
          2024-01-15 10:34    1420    75 failed
          2024-01-15 10:35    1400    75 failed
          2024-01-15 10:36    1398    75 failed

        """)
  }

  @Test("Metrics of nothing, and of counts wider than their columns")
  func metricsEdges() {
    #expect(
      Self.text(MetricsReport(MetricsSummary(minutes: MinuteTable(), rejected: 7), processed: 0)) == """
        Order metrics
          Total orders               0
          Failed orders              0
          Failure rate               0.00 %
          Average orders per minute  0.00
          Current orders per minute  0
          Rejected records           7

        Orders by minute (UTC)

        """)
    var table = MinuteTable()
    _ = table.add(minute: -1, orders: 1, failed: 0)
    _ = table.add(minute: CivilTime.minutesRange.upperBound, orders: 1_234_567, failed: 1000)
    let lines = Self.text(MetricsReport(MetricsSummary(minutes: table, rejected: 0), processed: 0))
      .split(separator: "\n").suffix(2)
    #expect(lines == ["  1969-12-31 23:59        1     0 failed", "  9999-12-31 23:59  1234567  1000 failed"])
    let line = ByteBuffer()
    LiveMetricsReport(
      Self.summary(rejected: 3).totals, changed: [], processed: 0, lostRecords: 0, latency: LatencyFigures()
    ).appendLine(to: line)
    #expect(
      String(decoding: line.bytes, as: UTF8.self) == "total 10000, failed 512 (5.12 %), current 1398/min, rejected 3\n")
  }

  static var audit: AuditReport {
    var findings = AuditFindings()
    findings.orders = 10
    findings.items = 25
    findings.inventoryEvents = 26
    findings.rejected = 1
    findings.pending = 2
    findings.other = 3
    findings.unverifiable = 4
    let place = Coordinates(TopicPartition(topic: "out", partition: 2), offset: 7)
    findings.add(.wrongAction, source: "in/0/5/1", output: place, expected: "this", found: "that\u{1b}")
    findings.add(.lost, source: "in/0/6/0", output: nil, expected: "this", found: "nothing")
    findings.add(.phantom, source: nil, output: place, expected: "a source header", found: "it")
    return AuditReport(topic: "in", outputTopic: "out", findings: findings)
  }

  @Test("The audit names every violation with its coordinates")
  func auditText() {
    #expect(
      Self.text(Self.audit) == """
        Audit of in against out
          Orders                     10
          Items                      25
          Inventory events           26
          Rejected records           1
          Lost                       1
          Duplicated                 0
          Phantom                    1
          Wrong action               1
          Reordered                  0
          Wrong partition            0
          Pending                    2
          Other sources              3
          Unverifiable               4
          Result                     VIOLATED

          wrong_action: source in/0/5/1, output out[2]@7
            expected this
            found    that\u{1b}

          lost: source in/0/6/0
            expected this
            found    nothing

          phantom: output out[2]@7
            expected a source header
            found    it

        """)
    let clean = AuditReport(topic: "in", outputTopic: "out", findings: AuditFindings())
    #expect(Self.text(clean).hasSuffix("  Result                     exactly once: every item has its one event\n"))
  }

  @Test("What waits behind the group of inventory is not finished, with what finishes it; behind another it is normal")
  func auditBacklog() {
    var findings = AuditFindings()
    findings.pending = 1254
    findings.pendingOrders = 500
    var report = AuditReport(topic: "in", outputTopic: "out", findings: findings, group: "inventory")
    #expect(Self.text(report).hasSuffix("no violation; 1254 items are not committed yet\n") && !report.isUnfinished)
    report.finishingCommand = "orderstream inventory"
    let result =
      "not finished: 1254 items of 500 orders wait behind the group inventory; run orderstream inventory"
    #expect(Self.text(report).hasSuffix("  Result                     \(result)\n") && report.isUnfinished)
    report.findings.add(.lost, source: "in/0/6/0", output: nil, expected: "this", found: "nothing")
    #expect(Self.text(report).contains("VIOLATED"), "a violation comes first")
  }

  @Test("A list of violations that is cut says so, one that is not does not")
  func auditCutList() {
    var findings = AuditFindings()
    for offset in 0..<1254 {
      findings.add(.lost, source: "in/0/\(offset)/0", output: nil, expected: "this", found: "nothing")
    }
    findings.add(.phantom, source: nil, output: nil, expected: "a source header", found: "it")
    let text = Self.text(AuditReport(topic: "in", outputTopic: "out", findings: findings))
    #expect(text.hasSuffix("\n\n  lost: 20 of 1254 shown\n") && !text.contains("1 of 1 shown"))
  }

  /// Of four records after the first second, and of five before.
  static var latency: LatencyFigures {
    var recorder = LatencyRecorder()
    for (sent, border) in [([0, 0, 0, -20_100_000], -1_000_000_000), ([-131_000_000], 0)] as [([Int64], Int64)] {
      var runs = TimeRuns()
      for time in sent { for _ in 0..<(border == 0 ? 5 : 1) { runs.append(time) } }
      recorder.record(runs, at: 1_204_000, border: border, in: .nanoseconds)
    }
    return recorder.figures
  }

  static var produce: ProduceReport {
    var deliveries = DeliveryCounts(partitionCount: 2)
    deliveries.acknowledged = 9
    deliveries.failed = 1
    deliveries.possiblyDuplicated = 2
    deliveries.acknowledgedByPartition = [4, 5]
    var report = ProduceReport(topic: "t", deliveries: deliveries)
    report.requested = 12
    report.failedOrders = 3
    report.rejected = 2
    report.seed = .max
    report.firstOrder = 100
    report.activeMilliseconds = 4
    return report
  }

  @Test("What produce and inventory did")
  func produceAndInventory() {
    #expect(
      Self.text(Self.produce) == """
        Produced to t
          Requested                  12
          Acknowledged               9
          Failed deliveries          1
          Possibly duplicated        2
          Failed orders              3
          Rejected                   2
          Events per second          2250
          Partitions                 0:4 1:5
          Seed                       18446744073709551615
          First order                100

        """)
    var unanswered = Self.produce
    unanswered.acks = .none
    (unanswered.deliveries.acknowledged, unanswered.deliveries.unanswered) = (0, 9)
    #expect(
      Self.text(unanswered).hasPrefix(
        """
        Produced to t
          Acks                       0 (nobody's)
          Requested                  12
          Sent                       9
          Acknowledged               0

        """))
    #expect(
      unanswered.eventsPerSecond == 2250 && unanswered.claims[0].text == "every event was sent, none was acknowledged")
    var measured = Self.produce
    measured.latency = Self.latency
    #expect(
      Self.text(measured).contains(
        """
          Events per second          2250
          Latency, ms (4)            p50 1.20  p90 21.3  p99 21.3  p99.9 21.3  max 21.3
          First second, ms (5)       p50 132  p90 132  p99 132  p99.9 132  max 132
          Partitions                 0:4 1:5

        """))
    #expect(ProduceReport(topic: "t", deliveries: DeliveryCounts(partitionCount: 1)).eventsPerSecond == 0)
    let counts = InventoryProjection.Counts(orders: 3, items: 7, reserved: 5, released: 2, rejected: 1)
    let head = """
      Inventory events on out
        Guarantee                  exactly-once
        Orders                     3
        Items                      7
        Reserved                   5
        Released                   2
        Rejected records           1

      """
    #expect(Self.text(InventoryReport(outputTopic: "out", counts: counts, lostRecords: 0)) == head)
    #expect(
      Self.text(InventoryReport(outputTopic: "out", counts: counts, lostRecords: 0, latency: Self.latency)).hasSuffix(
        "  Latency, ms (4)            p50 1.20  p90 21.3  p99 21.3  p99.9 21.3  max 21.3\n"
          + "  First second, ms (5)       p50 132  p90 132  p99 132  p99.9 132  max 132\n"))
    #expect(
      Self.text(InventoryReport(outputTopic: "out", counts: counts, lostRecords: 4))
        == head + "  Lost to retention          4\n")
  }

  static var lag: LagReport {
    var report = LagReport(topic: "t", group: "g")
    report.produced = 10
    report.consumed = 10
    report.drainMilliseconds = 1234
    report.samples = [
      LagReport.Sample(milliseconds: 0, produced: 0, consumed: 0, lag: 0),
      LagReport.Sample(milliseconds: 100, produced: 10, consumed: 3, lag: 7, lagByPartition: [3, nil, 4]),
      LagReport.Sample(milliseconds: 200, produced: 10, consumed: 3, lag: nil),
      LagReport.Sample(milliseconds: 1205, produced: 10, consumed: 10, lag: 0),
    ]
    return report
  }

  @Test("Lag built, peaked and drained, or it did not")
  func lagText() {
    #expect(
      Self.text(Self.lag) == """
        Consumer lag on t
          Produced                   10
          Consumed                   10
          Peak lag                   7
          Time to drain              1.234 s
          Lost                       0
          Duplicated                 0
          Result                     lag drained, every event was seen exactly once

        """)
    let changes: [(reason: String, change: (inout LagReport) -> Void)] = [
      (
        "lag was still 3 when --drain-timeout (500 ms) ended",
        {
          ($0.drainMilliseconds, $0.drainLimitMilliseconds) = (nil, 500)
          $0.samples[3].lag = 3
        }
      ),
      ("1 event lost", { ($0.lost, $0.consumed) = (1, 9) }),
      ("2 events seen more than once", { $0.duplicated = 2 }), ("9 of 10 events were consumed", { $0.consumed = 9 }),
    ]
    for (reason, change) in changes {
      var report = Self.lag
      change(&report)
      #expect(!report.isTrue)
      #expect(Self.text(report).hasSuffix("\n  Result                     FAILED: \(reason)\n"), "\(Self.text(report))")
    }
    #expect(Self.lag.isTrue && !Self.lag.hasNoLag)
  }
}
