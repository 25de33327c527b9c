import Foundation
import Testing

@testable import OrderStreamCore

@Suite struct StatusReportTests {
  static var report: StatusReport {
    let places = (0..<4).map { TopicPartition(topic: "orders", partition: $0) }
    let description = GroupDescription(
      group: "analytics", state: "Stable",
      members: [
        GroupDescription.Member(id: "a", host: "here", partitions: [places[0], places[1]]),
        GroupDescription.Member(id: "b", host: "there", partitions: []),
      ], committed: [places[0]: 90, places[1]: 200])
    let orders = TopicLook(
      partitions: [
        .seen(Watermarks(low: 0, high: 100, stable: 95)), .seen(Watermarks(low: 5, high: 150, stable: 150)),
        .seen(Watermarks(low: 0, high: 4, stable: 4)), .unseen(reason: "it has no leader"),
      ])
    let looks = ["orders": orders, "none": TopicLook(partitions: [], reason: "nobody may look")]
    var refused = GroupDescription(
      unknown: "refused", membersFailure: BrokerError(.unauthorized, "cannot describe refused", why: "not allowed"))
    refused.committedFailure = BrokerError(.timedOut, "cannot read", why: "no coordinator")
    let groups = [
      description, GroupDescription(group: "old", state: "Empty", members: [], committed: [places[0]: 3]), refused,
    ]
    return StatusReport(
      broker: "embedded:/log",
      topics: ["orders", "none"].map { StatusReport.Topic(name: $0, look: looks[$0]!) },
      groups: [
        group(groups[0], GroupLag(of: groups[0], in: ["orders"], looks: looks)),
        group(groups[1], GroupLag(of: groups[1], in: ["orders"], looks: [:])),
        group(groups[2], GroupLag(of: groups[2], in: [], looks: looks)),
      ], groupsFailure: BrokerError(.timedOut, "cannot list groups", why: "a broker is silent"))
  }

  static func group(_ description: GroupDescription, _ lag: GroupLag) -> StatusReport.Group {
    var watch = LagWatch(window: .seconds(60))
    return StatusReport.Group(description, lag: lag, explanation: watch.observe([(description, lag)], at: 0)[0])
  }

  @Test("A topic and a group are a line each, and what is unknown says why")
  func lines() {
    #expect(
      ReportTests.text(Self.report) == """
        Topics on embedded:/log
          orders  4 partitions  at least 249 records  1 partition unknown
          none: partitions are unknown: nobody may look

        Groups on embedded:/log
          there may be more of them: a broker is silent
          analytics  Stable   2 members  lag unknown, at least 5
          old        Empty    0 members  lag unknown
          refused    Unknown  members unknown  lag unknown
            members are unknown: not allowed
            committed offsets are unknown: no coordinator

        """)
    var empty = StatusReport(broker: "b", topics: [], groups: [])
    #expect(ReportTests.text(empty) == "Topics on b\n  none\n\nGroups on b\n  none\n")
    empty.isAbsent = true
    #expect(ReportTests.text(empty) == "Topics on b\n  none: there is no log yet\n\nGroups on b\n  none\n")
    (empty.unknownTopics, empty.unknownGroups) = (["t"], ["g"])
    #expect(
      ReportTests.text(empty)
        == "Topics on b\n  t: there is no such topic\n\nGroups on b\n  g: there is no such group\n")
  }

  @Test("A table is no wider than the screen: what the group's lines have too is left out")
  func narrow() {
    var report = Self.report
    let description = report.groups[0].description
    let lag = GroupLag(partitions: [report.groups[0].lag.partitions[0]])
    var watch = LagWatch(window: .seconds(60))
    _ = watch.observe([(description, lag)], at: 0)
    let explanation = watch.observe([(description, lag)], at: 2_000_000_000)[0]
    (report.groups, report.detail) = ([StatusReport.Group(description, lag: lag, explanation: explanation)], [.groups])
    func head(_ columns: Int) -> String? {
      let text = ReportText()
      report.appendText(to: text, on: Screen(columns: columns, rows: 24, isUnicode: true))
      return ScreenTests.lines(text).first { $0.hasPrefix("    partition") }
    }
    #expect(head(200)?.split(separator: " ").suffix(4) == ["arrives", "served", "state", "clear"])
    for columns in 53...80 {
      let head = head(columns)
      #expect(head?.count ?? .max <= columns && head?.hasSuffix("clear") == true, "\(columns): \(head ?? "")")
    }
    #expect(head(60)?.contains("arrives") == false)
  }

  @Test("Partitions stand in tables where they are asked for, with where they lie")
  func tables() {
    var report = Self.report
    report.detail = [.topics, .groups]
    report.groupsFailure = nil
    report.topics[0].look.placements = (0..<4).map {
      PartitionPlacement(leader: $0 == 3 ? nil : 1, replicas: [1, 2], inSync: $0 == 1 ? [1] : [1, 2])
    }
    report.cluster = ClusterDescription(
      id: "abc", brokers: [.init(id: 1, address: "a:9092"), .init(id: 2, address: "b:9092")])
    #expect(
      ReportTests.text(report) == """
        Topics on embedded:/log
          cluster abc, 2 brokers: 1 at a:9092, 2 at b:9092
          orders  4 partitions  at least 249 records  1 partition unknown  1 under-replicated
            partition  low  high                      stable  leader  replicas               in-sync
            0            0   100                          95       1       1,2                   1,2
            1            5   150                         150       1       1,2  1 (under-replicated)
            2            0     4                           4       1       1,2                   1,2
            3            -     -  unknown (it has no leader)    none       1,2                   1,2
          none: partitions are unknown: nobody may look

        Groups on embedded:/log
          analytics  Stable   2 members  lag unknown, at least 5
            member a on here: orders[0] orders[1]
            member b on there: no partitions
            partition  committed  stable                                        lag
            orders[0]         90      95                                          5
            orders[1]        200     150  unknown (committed beyond the end at 150)
            orders[2]          -       4                unknown (nothing committed)
            orders[3]          -       -                 unknown (it has no leader)
          old        Empty    0 members  lag unknown
            partition  committed  stable                                 lag
            orders[0]          3       -  unknown (the topic orders is gone)
          refused    Unknown  members unknown  lag unknown
            members are unknown: not allowed
            committed offsets are unknown: no coordinator

        """)
  }

  @Test("A view leaves out topics rather than groups when there is little room")
  func view() {
    let topics = (0..<100).map { StatusReport.Topic(name: "topic-\($0)", look: TopicLook(partitions: [])) }
    let report = StatusReport(broker: "b", topics: topics, groups: Self.report.groups)
    let text = ReportText()
    report.appendView(state: "every 2.0 s", to: text, on: Screen(columns: 80, rows: 24, isUnicode: true))
    let lines = ScreenTests.lines(text)
    #expect(
      lines.count <= 24 && lines.contains { $0.hasSuffix("more topics") } && lines.contains { $0.contains("analytics") }
    )
    #expect(lines.last == "every 2.0 s", "\(lines)")
  }

  @Test("The document has every key, numbers as numbers, and null with a reason for what is unknown")
  func document() throws {
    let document = try DocumentTests.document(Self.report, active: nil)
    let topics = try #require(document["topics"] as? [[String: Any]])
    #expect(topics.map { $0["name"] as? String } == ["orders", "none"])
    #expect(topics[0]["reason"] is NSNull && topics[1]["reason"] as? String == "nobody may look")
    let borders = try #require(topics[0]["partitions"] as? [[String: Any]])
    for (key, numbers) in ["partition": [0, 1, 2, 3], "low": [0, 5, 0, nil], "high": [100, 150, 4, nil]] {
      #expect(borders.map { $0[key] as? Int } == numbers, "\(key)")
    }
    #expect(borders.map { $0["stable"] as? Int } == [95, 150, 4, nil] && borders[3]["stable"] is NSNull)
    #expect(borders.map { $0["reason"] as? String } == [nil, nil, nil, "it has no leader"])
    #expect((topics[1]["partitions"] as? [Any])?.isEmpty == true)
    #expect(document["groups_reason"] as? String == "a broker is silent")
    let groups = try #require(document["groups"] as? [[String: Any]])
    #expect(groups[0]["group"] as? String == "analytics" && groups[0]["state"] as? String == "Stable")
    #expect(groups.allSatisfy { $0["lag"] is NSNull } && groups.map { $0["lag_at_least"] as? Int } == [5, 0, 0])
    #expect(groups.map { $0["members_known"] as? Bool } == [true, true, false])
    #expect(groups[0]["reason"] is NSNull && groups[2]["reason"] as? String == "not allowed")
    #expect(groups[2]["state"] as? String == "Unknown" && (groups[2]["members"] as? [Any])?.isEmpty == true)
    let members = try #require(groups[0]["members"] as? [[String: Any]])
    #expect(members.map { $0["id"] as? String } == ["a", "b"] && members[0]["host"] as? String == "here")
    #expect((members[0]["partitions"] as? [[String: Any]])?.count == 2)
    let partitions = try #require(groups[0]["partitions"] as? [[String: Any]])
    #expect(partitions.map { $0["lag"] as? Int } == [5, nil, nil, nil])
    #expect(partitions[0]["reason"] is NSNull && partitions[2]["reason"] as? String == "nothing committed")
    #expect(partitions[2]["committed"] is NSNull && partitions[1]["committed"] as? Int == 200)
    #expect(Set(partitions[0].keys).isSuperset(of: ["topic", "partition", "committed", "stable", "lag", "reason"]))
  }
}
