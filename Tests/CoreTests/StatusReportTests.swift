import Foundation
import Testing

@testable import OrderStreamCore

@Suite struct StatusReportTests {
  static var report: StatusReport {
    let places = (0..<3).map { TopicPartition(topic: "orders", partition: $0) }
    let description = GroupDescription(
      group: "analytics", state: "Stable",
      members: [
        GroupDescription.Member(id: "a", host: "here", partitions: [places[0], places[1]]),
        GroupDescription.Member(id: "b", host: "there", partitions: []),
      ], committed: [places[0]: 90, places[1]: 200])
    return StatusReport(
      broker: "embedded:/log",
      topics: [
        StatusReport.Topic(
          name: "orders",
          partitions: [Watermarks(low: 0, high: 100, stable: 95), Watermarks(low: 5, high: 150, stable: 150)]),
        StatusReport.Topic(name: "none", partitions: []),
      ],
      groups: [
        StatusReport.Group(
          description,
          partitions: [
            StatusReport.Group.Partition(places[0], committed: 90, stable: 95),
            StatusReport.Group.Partition(places[1], committed: 200, stable: 150),
            StatusReport.Group.Partition(places[2], committed: nil, stable: 4),
          ]),
        StatusReport.Group(
          GroupDescription(group: "old", state: "Empty", members: [], committed: [:]),
          partitions: [StatusReport.Group.Partition(places[0], committed: 3, stable: nil)]),
      ])
  }

  @Test("Topics and groups stand in tables, and unknown lag says why")
  func text() {
    #expect(
      ReportTests.text(Self.report) == """
        Topics on embedded:/log
          orders
            partition  low  high  stable
            0            0   100      95
            1            5   150     150
          none

        Groups
          analytics: Stable, 2 members, lag 5
            member a on here: orders[0] orders[1]
            member b on there: no partitions
            partition  committed  stable                          lag
            orders[0]         90      95                            5
            orders[1]        200     150                            0
            orders[2]          -       4  unknown (nothing committed)
          old: Empty, 0 members, lag unknown
            partition  committed  stable                          lag
            orders[0]          3       -  unknown (the topic is gone)

        """)
    #expect(
      ReportTests.text(StatusReport(broker: "b", topics: [], groups: []))
        == "Topics on b\n  none\n\nGroups\n  none\n")
  }

  @Test("The document has every key, numbers as numbers, and null with a reason for unknown lag")
  func document() throws {
    let document = try DocumentTests.document(Self.report, active: nil)
    let topics = try #require(document["topics"] as? [[String: Any]])
    #expect(topics.map { $0["name"] as? String } == ["orders", "none"])
    #expect(
      topics[0]["partitions"] as? [[String: Int]] == [
        ["partition": 0, "low": 0, "high": 100, "stable": 95], ["partition": 1, "low": 5, "high": 150, "stable": 150],
      ])
    #expect((topics[1]["partitions"] as? [Any])?.isEmpty == true)
    let groups = try #require(document["groups"] as? [[String: Any]])
    #expect(groups[0]["group"] as? String == "analytics" && groups[0]["state"] as? String == "Stable")
    #expect(groups[0]["lag"] as? Int == 5 && groups[1]["lag"] is NSNull)
    let members = try #require(groups[0]["members"] as? [[String: Any]])
    #expect(members.map { $0["id"] as? String } == ["a", "b"] && members[0]["host"] as? String == "here")
    #expect((members[0]["partitions"] as? [[String: Any]])?.count == 2)
    let partitions = try #require(groups[0]["partitions"] as? [[String: Any]])
    #expect(partitions.map { $0["lag"] as? Int } == [5, 0, nil])
    #expect(partitions[0]["reason"] is NSNull && partitions[2]["reason"] as? String == "nothing committed")
    #expect(partitions[2]["committed"] is NSNull && partitions[1]["committed"] as? Int == 200)
    #expect(Set(partitions[0].keys) == ["topic", "partition", "committed", "stable", "lag", "reason"])
  }
}
