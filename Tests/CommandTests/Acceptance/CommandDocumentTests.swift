import OrderStreamTestSupport
import Testing

/// The table of documents: required keys, their types, one document only, and nothing else on stdout.
@Suite("JSON documents")
struct CommandDocumentTests {
  enum Kind { case count, decimal, text, flag, object, array, textOrNull, objectOrNull, countOrNull }

  private static let frame: [String: Kind] = [
    "schema": .text, "broker": .text, "complete": .flag, "elapsed_ms": .count, "cut_short": .objectOrNull,
    "claims": .array, "run": .object,
  ]
  private static let totals: [String: Kind] = [
    "total_orders": .count, "failed_orders": .count, "failure_rate_percent": .decimal,
    "average_orders_per_minute": .decimal, "current_orders_per_minute": .count, "current_minute": .textOrNull,
    "orders_by_minute": .object, "failed_by_minute": .object, "rejected": .count,
  ]

  private func check(_ document: JSON, _ command: String, _ keys: [String: Kind], moves: Bool = true) {
    #expect(document["schema"].string == "orderstream.\(command)/1")
    has(document, Self.frame)
    has(document, keys)
    if moves { has(document, ["active_ms": .count]) }
    #expect(document["broker"].string?.hasPrefix("embedded:/") == true, "\(document["broker"])")
    if moves, let active = document["active_ms"].int, let elapsed = document["elapsed_ms"].int {
      #expect(active <= elapsed)
    }
  }

  private func has(_ document: JSON, _ keys: [String: Kind]) {
    for (key, kind) in keys {
      guard let value = document.members[key] else {
        Issue.record("\(key) is missing in \(document)")
        continue
      }
      #expect(fits(value, kind), "\(key) is \(value)")
    }
  }

  private func fits(_ value: JSON, _ kind: Kind) -> Bool {
    switch kind {
    case .count: value.int.map { $0 >= 0 } ?? false
    case .decimal: value.double != nil
    case .text: value.string != nil
    case .flag: value.bool != nil
    case .object: if case .object = value { true } else { false }
    case .array: if case .array = value { true } else { false }
    case .textOrNull: value == .null || value.string != nil
    case .countOrNull: value == .null || value.int != nil
    case .objectOrNull: value == .null || fits(value, .object)
    }
  }

  private static let produce: [String: Kind] = [
    "requested": .count, "acknowledged": .count, "failed_deliveries": .count, "possibly_duplicated": .count,
    "failed_orders": .count, "rejected": .count, "events_per_second": .decimal, "partitions": .object, "seed": .count,
    "first_order": .count, "latency_ms": .object, "latency_first_second_ms": .object, "latency_buckets": .array,
    "samples": .array,
  ]

  @Test func theDocumentOfProduce() throws {
    let stage = try Stage()
    let document = try stage.json("produce", "--events", "300", "--seed", "12")
    check(document, "produce", Self.produce)
    #expect(document["requested"].int == 300 && document["acknowledged"].int == 300)
    #expect(document["seed"].int == 12 && document["first_order"].int == 1)
    #expect(document["partitions"].members.keys.sorted() == ["0", "1", "2", "3", "4", "5"])
    #expect(document["partitions"].sum == 300)
    // The run is over within its first second.
    #expect(document["latency_ms"]["count"].int == 300 && document["latency_ms"] == document["latency_first_second_ms"])
    #expect(document["samples"].elements.last?["acknowledged"].int == 300)
    #expect(document["samples"].elements.last?["partitions"].elements.compactMap(\.int).reduce(0, +) == 300)
    #expect(try stage.json("produce", "--events", "2")["first_order"].int == 301)
  }

  @Test func theSeedOfProduceIsReportedSoThatTheRunCanBeRepeated() throws {
    let (one, other) = (try Stage(), try Stage())
    let times = ["--events", "50", "--start-time", "2024-01-15T10:30:00Z"]
    let seed = try #require(try one.start(["produce", "--json"] + times).end().document["seed"].int)
    print("seed \(seed)")
    #expect(try other.start(["produce", "--seed", "\(seed)"] + times).end().code == 0)
    #expect(try one.run("tail", "--raw").output == other.run("tail", "--raw").output)
  }

  @Test func theDocumentOfProduceWithInputHasItsKeysToo() throws {
    let stage = try Stage()
    try stage.write("in", Orders.order(number: 1) + "\n{}\n")
    let outcome = try stage.run("produce", "--input", "in", "--json", exits: 65)
    var keys = Self.produce
    keys["seed"] = .countOrNull
    keys["first_order"] = .countOrNull
    check(try outcome.document, "produce", keys)
    #expect(try outcome.document["rejected"].int == 1)
    #expect(try outcome.document["requested"].int == 2)
  }

  @Test func theDocumentsOfInventoryAnalyticsAndAudit() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "100", "-q")
    check(
      try stage.json("inventory"), "inventory",
      [
        "orders": .count, "items": .count, "reserved": .count, "released": .count, "rejected": .count,
        "samples": .array,
      ])
    let analytics = try stage.json("analytics")
    check(analytics, "analytics", Self.totals.merging(["processed": .count, "samples": .array]) { $1 })
    #expect(analytics["samples"][0]["lag"] != .null)
    #expect(analytics["samples"].elements.last?["processed"].int == 100)
    #expect(analytics["samples"].elements.last?["lag"].elements == Array(repeating: .number(0), count: 6))
    #expect(analytics["current_minute"].string?.count == "2024-01-15T10:30".count)
    var keys: [String: Kind] = ["violations": .array]
    for key in [
      "orders", "items", "inventory_events", "rejected", "lost", "duplicated", "phantom", "wrong_action", "reordered",
      "wrong_partition", "pending", "pending_orders", "other", "unverifiable",
    ] { keys[key] = .count }
    check(try stage.json("audit"), "audit", keys, moves: false)
  }

  @Test func anEmptyTopicGivesWholeDocuments() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "0")
    let analytics = try stage.json("analytics")
    check(analytics, "analytics", Self.totals.merging(["processed": .count]) { $1 })
    #expect(analytics["current_minute"] == .null && analytics["orders_by_minute"] == .object([:]))
    #expect(try stage.json("inventory")["items"].int == 0)
    #expect(try stage.json("audit")["violations"] == .array([]))
    #expect(try stage.json("replay")["match"].bool == true)
    #expect(try stage.run("tail").output.isEmpty)
  }

  @Test func theDocumentOfReplay() throws {
    let stage = try Stage()
    let document = try stage.json("replay", "--events", "100")
    check(
      document, "replay",
      ["match": .flag, "initial": .object, "replay": .object, "first_difference": .objectOrNull])
    has(document["initial"], Self.totals)
    has(document["replay"], Self.totals)
  }

  @Test func theDocumentOfLagDemo() throws {
    let stage = try Stage()
    let document = try stage.json(
      "lag-demo", "--events", "60", "--rate", "max", "--consumer-delay", "1ms", "--sample-interval", "20ms")
    check(
      document, "lag-demo",
      [
        "produced": .count, "consumed": .count, "lost": .count, "duplicated": .count, "peak_lag": .count,
        "drain_ms": .count, "samples": .array,
      ])
    for sample in document["samples"].elements {
      has(
        sample,
        ["t_ms": .count, "produced": .count, "consumed": .count, "lag": .countOrNull, "lag_by_partition": .array])
      #expect(sample["lag_by_partition"].elements.compactMap(\.int).reduce(0, +) == sample["lag"].int)
    }
  }

  @Test func theDocumentOfStatus() throws {
    let stage = try Stage()
    let empty = try stage.json("status")
    check(empty, "status", ["topics": .array, "groups": .array], moves: false)
    try stage.run("produce", "--events", "100", "-q")
    try stage.run("analytics", "--max-events", "10", "-q")
    let document = try stage.json("status")
    check(document, "status", ["topics": .array, "groups": .array], moves: false)
    for topic in document["topics"].elements {
      has(topic, ["name": .text, "partitions": .array])
      for partition in topic["partitions"].elements {
        has(
          partition,
          ["partition": .count, "low": .count, "high": .count, "stable": .count, "reason": .textOrNull])
      }
    }
    #expect(document["groups"].elements.count == 1)
    for group in document["groups"].elements {
      has(
        group,
        [
          "group": .text, "state": .text, "members": .array, "members_known": .flag, "lag": .countOrNull,
          "lag_at_least": .count, "reason": .textOrNull, "partitions": .array,
        ])
      for partition in group["partitions"].elements {
        has(
          partition,
          [
            "topic": .text, "partition": .count, "committed": .countOrNull, "stable": .count, "lag": .countOrNull,
            "reason": .textOrNull,
          ])
        #expect((partition["lag"] == .null) == (partition["reason"].string != nil), "\(partition)")
      }
    }
  }

  @Test func everyLineOfTailIsADocument() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "30", "-q")
    try stage.run("inventory", "-q")
    for topic in ["order-events", "inventory-events"] {
      let lines = try stage.run("tail", "-t", topic).lines
      #expect(try lines == stage.run("tail", "-t", topic, "--json").lines)
      var withHeader = 0
      for line in lines {
        let document = try JSON(line)
        has(
          document,
          [
            "topic": .text, "partition": .count, "offset": .count, "timestamp_ms": .count, "key": .textOrNull,
            "key_encoding": .text, "headers": .array, "encoding": .text, "value": .object,
          ])
        #expect(document["topic"].string == topic && document["encoding"].string == "json")
        withHeader += document["headers"].elements.count
      }
      // The last order of a run carries one, and every inventory event.
      #expect(withHeader == (topic == "order-events" ? 1 : lines.count))
    }
  }

  @Test(arguments: ["produce", "inventory", "analytics", "replay", "audit", "status"])
  func quietMeansNothingOnStderrAndTheSameOnStdout(command: String) throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "10", "-q")
    try stage.run("inventory", "-q")
    let outcome = try stage.run(command, "-q")
    #expect(outcome.errors.isEmpty, "\(outcome)")
    #expect(!outcome.output.isEmpty)
  }
}
