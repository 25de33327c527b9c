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
        StatusReport.Group(groups[0], lag: GroupLag(of: groups[0], in: ["orders"], looks: looks)),
        StatusReport.Group(groups[1], lag: GroupLag(of: groups[1], in: ["orders"], looks: [:])),
        StatusReport.Group(groups[2], lag: GroupLag(of: groups[2], in: [], looks: looks)),
      ], groupsFailure: BrokerError(.timedOut, "cannot list groups", why: "a broker is silent"))
  }

  @Test("Topics and groups stand in tables, and what is unknown says why")
  func text() {
    #expect(
      ReportTests.text(Self.report) == """
        Topics on embedded:/log
          orders
            partition  low  high                      stable
            0            0   100                          95
            1            5   150                         150
            2            0     4                           4
            3            -     -  unknown (it has no leader)
          none
            partitions are unknown: nobody may look

        Groups
          there may be more of them: a broker is silent
          analytics: Stable, 2 members, lag unknown, at least 5
            member a on here: orders[0] orders[1]
            member b on there: no partitions
            partition  committed  stable                                        lag
            orders[0]         90      95                                          5
            orders[1]        200     150  unknown (committed beyond the end at 150)
            orders[2]          -       4                unknown (nothing committed)
            orders[3]          -       -                 unknown (it has no leader)
          old: Empty, 0 members, lag unknown
            partition  committed  stable                                 lag
            orders[0]          3       -  unknown (the topic orders is gone)
          refused: Unknown, members unknown, lag unknown
            members are unknown: not allowed
            committed offsets are unknown: no coordinator

        """)
    #expect(
      ReportTests.text(StatusReport(broker: "b", topics: [], groups: []))
        == "Topics on b\n  none\n\nGroups\n  none\n")
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
    #expect(Set(partitions[0].keys) == ["topic", "partition", "committed", "stable", "lag", "reason"])
  }
}
