import OrderStreamTestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

@Suite("analytics")
struct AnalyticsTests {
  @Test func aRestartGoesOnAndReportsTheGroupsTotals() throws {
    let stage = try Stage()
    for round in 1...3 {
      try stage.run("produce", "--events", "100", "-q")
      let document = try stage.json("analytics")
      #expect(document["processed"].int == 100 && document["total_orders"].int == 100 * round)
    }
    let idle = try stage.json("analytics")
    #expect(idle["processed"].int == 0 && idle["total_orders"].int == 300 && idle["active_ms"].int == 0)
  }

  @Test func maxEventsCommitsExactlySoManyAndTheNextRunTheRest() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "1000", "-q")
    for (limit, total) in [("1", 1), ("0", 1), ("332", 333), ("500", 833)] {
      let document = try stage.json("analytics", "--max-events", limit)
      #expect(document["processed"].int == Int(limit) && document["total_orders"].int == total)
      let partitions = try stage.json("status")["groups"][0]["partitions"].elements
      #expect(partitions.compactMap { $0["committed"].int }.reduce(0, +) == total)
    }
    #expect(try stage.json("analytics", "--max-events", "500")["processed"].int == 167)
    let committed = try stage.json("status")["groups"][0]["partitions"].elements.compactMap { $0["committed"].int }
    #expect(committed.reduce(0, +) == 1000)
  }

  @Test func maxEventsEndsAFollowingRunToo() throws {
    let stage = try Stage()
    let child = try stage.start("analytics", "--follow", "--max-events", "150", "--json")
    try eventually("the topic") { try stage.json("status")["topics"].elements.count == 1 }
    try stage.run("produce", "--events", "400", "-q")
    let outcome = try child.end()
    #expect(outcome.code == 0, "\(outcome)")
    #expect(try JSON(outcome.lines.last!)["processed"].int == 150)
    #expect(try stage.json("analytics")["processed"].int == 250)
  }

  @Test func followCreatesTheTopicAndPrintsALineOnceASecond() throws {
    let stage = try Stage()
    let child = try stage.start("analytics", "--follow")
    try eventually("the topic") { try stage.json("status")["topics"].elements.count == 1 }
    try stage.run("produce", "--events", "10", "-q")
    try child.wait(for: "a line about ten orders") { child.lines.last?.contains("total 10,") == true }
    try stage.run("produce", "--events", "5", "-q")
    try child.wait(for: "a line about fifteen") { child.lines.last?.contains("total 15,") == true }
    try eventually("the file") {
      try stage.text("metrics_output.txt").contains("  Total orders               15\n")
    }
    child.send(SIGTERM)
    let outcome = try child.end()
    #expect(outcome.code == 0)
    #expect(outcome.text.hasSuffix(try stage.text("metrics_output.txt")), "the report is the last word")
    #expect(outcome.errors.contains("latency, ms: p50"), "what does not depend on the records alone is said beside it")
    #expect(try !stage.text("metrics_output.txt").lowercased().contains("latency"))
  }

  @Test func documentsOfAFollowingRunComeAtMostOnceASecond() throws {
    let stage = try Stage()
    let child = try stage.start("analytics", "--follow", "--json", "--output", "-")
    let producer = try stage.start("produce", "--events", "750", "--rate", "300/s", "-q")
    #expect(try producer.end().code == 0)
    try eventually("no lag") { try stage.json("status")["groups"][0]["lag"].int == 0 }
    child.send(SIGINT)
    let outcome = try child.end()
    let documents = try outcome.lines.map { try JSON($0) }
    #expect(outcome.code == 0 && (2...6).contains(documents.count), "\(outcome)")
    #expect(documents.allSatisfy { $0["schema"].string == "orderstream.analytics/2" })
    #expect(documents.dropLast().allSatisfy { $0["orders_by_minute"] == .null && $0["failed_by_minute"] == .null })
    let last = try #require(documents.last)
    var counts: [String: Int] = [:]
    for document in documents {
      for (minute, count) in document["changed_by_minute"].members { counts[minute] = count.int }
    }
    #expect(counts == last["orders_by_minute"].members.compactMapValues(\.int) && !counts.isEmpty)
    #expect(documents.last?["total_orders"].int == 750)
    for document in documents {
      let (all, first) = (document["latency_ms"], document["latency_first_second_ms"])
      let counts = all == first ? [all["count"].int] : [all["count"].int, first["count"].int]
      #expect(counts.compactMap(\.self).reduce(0, +) == document["processed"].int, "\(document)")
      #expect(document["latency_buckets"].elements.compactMap { $0["count"].int }.reduce(0, +) == all["count"].int)
    }
    #expect(last["latency_ms"]["p50"].double.map { $0 >= 0 && $0 < 60_000 } == true)
    let times = documents.dropLast().compactMap { $0["elapsed_ms"].int }
    // The times are those of the documents, to the millisecond, a little after the decision to write them.
    for (one, other) in zip(times, times.dropFirst()) { #expect(other - one >= 950, "\(times)") }
    let totals = documents.compactMap { $0["total_orders"].int }
    #expect(totals == totals.sorted())
  }

  @Test func anIdleTimeoutEndsAFollowingRun() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "50", "-q")
    let document = try #require(
      try stage.run("analytics", "--idle-timeout", "300ms", "--json").lines.last.map { try JSON($0) })
    #expect(document["total_orders"].int == 50)
    #expect(try #require(document["elapsed_ms"].int) >= 300)
    // A missing topic is created, as with --follow.
    try stage.run("inventory", "-t", "fresh", "--idle-timeout", "50ms", "-q")
    #expect(try stage.json("status", "-t", "fresh")["topics"].elements.count == 1)
  }

  @Test func aBoundedRunStopsAtTheEndsThatItFound() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "2000", "-q")
    let producer = try stage.start("produce", "--events", "1000000", "--rate", "2000/s", "-q")
    let document = try stage.json("analytics")
    #expect(producer.isRunning)
    try producer.destroy()
    let total = try #require(document["total_orders"].int)
    #expect(total >= 2000)
    let onTheLog = try stage.run("tail", "--raw").lines.count
    #expect(try stage.json("analytics")["total_orders"].int == onTheLog)
  }

  @Test func aMemberThatOwnsNoPartitionWaitsForTheOthers() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "3000", "--partitions", "1", "-q")
    let members = try (0..<3).map { _ in try stage.start("analytics", "--json", "--output", "-") }
    let documents = try members.map { member in
      let outcome = try member.end()
      #expect(outcome.code == 0, "\(outcome)")
      return try outcome.document
    }
    #expect(documents.compactMap { $0["processed"].int }.reduce(0, +) == 3000)
    #expect(documents.allSatisfy { $0["total_orders"].int == 3000 })
  }

  @Test func aDeadMembersPartitionsAreTakenOverWithinFiveSeconds() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "600", "-q")
    let first = try stage.start("analytics", "--follow", "--output", "-", "--json")
    try first.wait(for: "its first document") { !first.lines.isEmpty }
    let second = try stage.start("analytics", "--follow", "--output", "-", "--json")
    func partitions() throws -> [Int] {
      try stage.json("status")["groups"][0]["members"].elements.map { $0["partitions"].elements.count }
    }
    try eventually("an even share") { try partitions() == [3, 3] }
    first.send(SIGKILL)
    let death = ContinuousClock.now
    try eventually("the takeover", within: .seconds(10)) { try partitions() == [6] }
    #expect(ContinuousClock.now - death < .seconds(5))
    try stage.run("produce", "--events", "600", "-q")
    try eventually("no lag") { try stage.json("status")["groups"][0]["lag"].int == 0 }
    second.send(SIGTERM)
    #expect(try JSON(second.end().lines.last!)["total_orders"].int == 1200)
  }

  @Test func aStoppedMemberIsFencedWhenItComesBack() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "600", "-q")
    let zombie = try stage.start("inventory", "--follow", "--json")
    try zombie.wait(for: "its first document") { !zombie.lines.isEmpty }
    zombie.send(SIGSTOP)
    try stage.run("produce", "--events", "600", "-q")
    try stage.run("inventory", "-q")
    try stage.run("produce", "--events", "600", "-q")
    zombie.send(SIGCONT)
    try eventually("no lag") { try stage.json("status", "-g", "inventory")["groups"][0]["lag"].int == 0 }
    zombie.send(SIGTERM)
    #expect(try zombie.end().code == 0)
    let audit = try stage.json("audit")
    #expect(audit["orders"].int == 1800 && audit["duplicated"].int == 0)
  }
}
