import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// What the binary prints, held against `schemas/`. `Outcome.document` does the same with the documents of all other tests.
@Suite("Schemas of the documents")
struct SchemaTests {
  /// Runs a command and looks at each line of its stdout.
  /// - Parameter line: its words, with one blank between them.
  @discardableResult
  private func check(
    _ line: String, exits code: Int32 = 0, in stage: Stage, location: SourceLocation = #_sourceLocation
  ) throws -> [String] {
    let outcome = try stage.start((line + " --json").split(separator: " ").map(String.init)).end()
    #expect(outcome.code == code, "\(outcome)", sourceLocation: location)
    check(outcome, location)
    return outcome.lines
  }

  private func check(_ outcome: Outcome, _ location: SourceLocation = #_sourceLocation) {
    #expect(!outcome.lines.isEmpty, "\(outcome)", sourceLocation: location)
    for line in outcome.lines {
      let problems = Schemas.shared.problems(of: line.utf8)
      #expect(problems == [], "\(line)", sourceLocation: location)
    }
  }

  @Test("documents of whole runs, plans and failures are as their schemas say")
  func bounded() throws {
    let stage = try Stage()
    try check("status", in: stage)
    try check("produce -n 100", in: stage)
    try stage.write("in", Orders.order(number: 1) + "\n{}\n")
    try check("produce --input in", exits: 65, in: stage)
    try check("inventory --max-events 10", in: stage)
    try check("audit", exits: 1, in: stage)
    try check("inventory", in: stage)
    try check("produce -n 100 --acks 0 -t weak", in: stage)
    try check("inventory --guarantee at-most-once -t weak -g weak --output-topic weak-events", in: stage)
    try check("audit --from +3 --to 0=9 --dlq", in: stage)
    try check("analytics", in: stage)
    try check("analytics --fail-if total_orders>5 --fail-if nosuch>1 --fail-if current_minute>1", exits: 1, in: stage)
    try check("replay", in: stage)
    try check("replay --group inventory", in: stage)
    try check("replay --certificate orders.cert", in: stage)
    try check("replay --verify orders.cert", in: stage)
    try check("analytics --as-of 5 -o -", in: stage)
    try check("replay --from +3 --to 0=9", in: stage)
    try check("replay -g analytics --from +3", in: stage)
    try check("replay -g analytics --from +3 --execute", in: stage)
    try check("tail --exact --max-events 3", in: stage)
    try stage.run("produce", "-t", "orders-b", "-n", "100", "-q")
    try check("replay -t orders-b --verify orders.cert --against embedded:\(stage.log)", exits: 1, in: stage)
    try check("lag-demo -n 30 --consumer-delay 0", in: stage)
    try check("status -v", in: stage)
    try check("status -g nobody -t nothing", in: stage)
    try check("produce -n 10", in: stage)
    try check("audit --no-group", exits: 1, in: stage)
    try check("audit --group other", in: stage)
    try check("audit", exits: 1, in: stage)
    #expect(try check("tail", in: stage).count == 111)
    try check("tail -t inventory-events", in: stage)
    try check("backup copy", in: stage)
    try check("delete -t order-events -g analytics --before +3", exits: 0, in: stage)
    try check("delete -t order-events -g analytics", in: stage)
    try check("delete -t order-events -g analytics --execute", in: stage)
  }

  @Test("lines of runs that are followed, watched and cut short are as their schemas say")
  func followed() throws {
    let stage = try Stage()
    let commands = ["inventory --follow", "analytics --follow", "status --watch=100ms", "tail --follow"]
    let children = try commands.map { try stage.start(($0 + " --json").split(separator: " ").map(String.init)) }
    let producer = try stage.start("produce", "-n", "1000000", "--rate", "100/s", "--json")
    for child in children { try child.wait(for: "three lines") { child.lines.count >= 3 } }
    for child in children + [producer] { child.send(SIGINT) }
    for child in children { check(try child.end()) }
    let cut = try producer.end()
    check(cut)
    #expect(cut.code == 130 && cut.lines.count == 1)
    #expect(try check("status -v", in: stage)[0].contains("order-events"))
  }

  @Test("what status says of a cluster is as its schema says")
  func cluster() throws {
    let cluster = MockCluster(brokers: 3)
    cluster.createTopic("orders", partitions: 3)
    cluster.setLeader("orders", 1, broker: -1)
    let stage = try Stage()
    let document = try JSON(check("status -v -b \(cluster.bootstrapServers)", in: stage)[0])
    #expect(document["topics"][0]["partitions"][1]["leader"] == .null)
    #expect(document["topics"][0]["partitions"][0]["replicas"].elements.count == 3)
    #expect(document["cluster"]["brokers"].elements.count == 3)
  }

  @Test("a document that is not as its schema says is found")
  func mutations() throws {
    let stage = try Stage()
    try stage.run("produce", "-n", "20", "-q")
    try stage.run("inventory", "--max-events", "5", "-q")
    var tried = 0
    for line in ["produce", "inventory", "analytics", "replay", "lag-demo -n 5", "status", "audit --no-group", "tail"] {
      let outcome = try stage.start((line + " --json").split(separator: " ").map(String.init)).end()
      let first = try #require(outcome.lines.first)
      let document = try #require(Schemas.parse(first.utf8))
      #expect(Schemas.shared.problems(of: document) == [])
      for (what, mutant) in Self.mutants(of: document, "") {
        tried += 1
        #expect(Schemas.shared.problems(of: mutant, as: Schemas.file(of: document)) != [], "\(line): \(what)")
      }
    }
    #expect(tried > 500)
  }

  /// Documents with one member more, fewer or of another type, at every depth.
  static func mutants(of value: DocumentValue, _ path: String) -> [(String, DocumentValue)] {
    var found: [(String, DocumentValue)] = []
    switch value {
    case .object(let members):
      // What is named by partition, by minute or by variable may be of any number; what a record holds is not ours.
      let isMap = [".partitions", ".environment"].contains(path) || path.hasSuffix("_minute")
      if path == ".value" { return [] }
      if !isMap { found.append(("\(path).extra", .object(members + [.init("extra", .integer(1))]))) }
      for (index, member) in members.enumerated() {
        func replacing(_ value: DocumentValue?) -> DocumentValue {
          var changed = members
          if let value { changed[index].value = value } else { changed.remove(at: index) }
          return .object(changed)
        }
        let place = "\(path).\(member.key)"
        if !isMap, !optional.contains(member.key) { found.append(("\(place) removed", replacing(nil))) }
        if member.key == "value" && path.isEmpty { continue }
        found += mutants(of: member.value, place).map { ($0.0, replacing($0.1)) }
        found.append(("\(place) another type", replacing(.list([.list([])]))))
        if member.value.number != nil { found.append(("\(place) as text", replacing(.text("1")))) }
        if member.value.integer != nil {
          found.append(("\(place) as share", replacing(.decimal(1.5))))
          found.append(("\(place) below 0", replacing(.integer(-2))))
        }
      }
    case .list(let elements):
      for (index, element) in elements.prefix(2).enumerated() {
        for (what, mutant) in mutants(of: element, "\(path)[]") {
          var changed = elements
          changed[index] = mutant
          found.append((what, .list(changed)))
        }
      }
    default: break
    }
    return found
  }

  /// Keys that need not be there, and keys whose type says less than a mutation changes.
  private static let optional: Set<String> = [
    "cut_short", "claims", "failed_conditions", "run", "latency_ms", "latency_first_second_ms", "latency_buckets",
    "samples", "lag_by_partition", "active_ms", "leader", "replicas", "in_sync", "cluster", "records_gone",
    "certificate", "lag_seconds",
  ]
}
