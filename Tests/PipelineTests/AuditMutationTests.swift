import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// The checker proved by mutation: each violation is planted once and must be named, and nothing else.
@Suite struct AuditMutationTests {
  typealias Verdict = AuditFindings.Verdict

  /// One event changed in place.
  struct Change: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var verdict: Verdict
    var apply: @Sendable (inout TestRecord, _ poisonOffset: Offset) -> Void

    init(_ name: String, _ verdict: Verdict, _ apply: @escaping @Sendable (inout TestRecord, Offset) -> Void) {
      testDescription = name
      self.verdict = verdict
      self.apply = apply
    }
  }

  static let differences = [
    Change("wrong action", .wrongAction) { event, _ in
      let isReserved = event.text!.contains("reserve")
      event.replace(isReserved ? "reserve" : "release", isReserved ? "release" : "reserve")
    },
    Change("wrong quantity", .wrongAction) { event, _ in event.replace(#""quantity":"#, #""quantity":1"#) },
    Change("another form of a wrong quantity", .wrongAction) { event, _ in
      event.replace(#","action"#, #"0.5,"action"#)
    },
    Change("wrong key", .wrongAction) { event, _ in event.key?[0] ^= 1 },
    Change("no key", .wrongAction) { event, _ in event.key = nil },
    Change("empty key", .wrongAction) { event, _ in event.key = [] },
    Change("wrong timestamp", .wrongAction) { event, _ in event.replace("2024-", "2025-") },
    Change("the same time in another zone's words", .wrongAction) { event, _ in event.replace(#""}"#, #"Z"}"#) },
    Change("wrong item", .wrongAction) { event, _ in event.replace(#""item_id":""#, #""item_id":"x"#) },
    Change("wrong order id", .wrongAction) { event, _ in event.replace("order_0", "order_1") },
    Change("wrong event type", .wrongAction) { event, _ in event.replace("InventoryEvent", "OrderPlaced") },
    Change("one altered byte", .wrongAction) { event, _ in event.value?[40] ^= 0x20 },
    Change("a field missing", .wrongAction) { event, _ in event.replace(#""action""#, #""actiom""#) },
    Change("a field given twice", .wrongAction) { event, _ in event.replace("{", #"{"quantity":1,"#) },
    Change("cut short", .wrongAction) { event, _ in event.value?.removeLast() },
    Change("a byte too much", .wrongAction) { event, _ in event.value?.append(0x7D) },
    Change("empty value", .wrongAction) { event, _ in event.value = [] },
    Change("tombstone", .wrongAction) { event, _ in event.value = nil },
  ]

  /// One event added that has no source.
  static let phantoms = [
    Change("no such offset", .phantom) { event, _ in event.source = "orders/0/1000000/0" },
    Change("no such partition", .phantom) { event, _ in event.source = "orders/2/0/0" },
    Change("no such line", .phantom) { event, _ in event.source = "\(event.order)/16" },
    Change("a poison source", .phantom) { event, poison in event.source = "orders/1/\(poison)/0" },
    Change("no header", .phantom) { event, _ in event.headers = [] },
    Change("a header without a value", .phantom) { event, _ in event.headers = [TestRecord.Header("source", nil)] },
    Change("an empty header", .phantom) { event, _ in event.source = "" },
    Change("a garbage header", .phantom) { event, _ in event.source = "\u{0}\u{1b}[2J/🍔/-1/1e1" },
    Change("a header with leading zeros", .phantom) { event, _ in event.source = "\(event.order)/00" },
    Change("a header with too large a number", .phantom) { event, _ in event.source = "orders/0/9223372036854775808/0"
    },
    Change("another header's name", .phantom) { event, _ in event.headers[0].name = Array("Source".utf8) },
  ]

  private func expectOne(
    _ findings: AuditFindings, _ verdict: Verdict, source: String?, output: String?, _ name: String
  ) {
    for other in Verdict.allCases {
      #expect(findings.count(other) == (other == verdict ? 1 : 0), "\(name): \(other)")
    }
    #expect(findings.violations.count == 1 && findings.violations.first?.verdict == verdict, "\(name)")
    #expect(findings.violations.first?.source == source, "\(name)")
    #expect(findings.violations.first?.output == output, "\(name)")
    #expect(!findings.isClean && findings.pending == 0 && findings.unverifiable == 0 && findings.other == 0, "\(name)")
  }

  @Test("A clean log is clean, and everything in it is counted", arguments: BackEnd.all)
  func clean(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let planting = try Planting(broker)
      for findings in [try broker.audit(), try planting.audit { _ in }, try broker.audit(group: "g")] {
        #expect(findings.isClean && findings.violations.isEmpty && findings.orders == 120 && findings.rejected == 1)
        #expect(findings.items == Int64(planting.output.count) && findings.inventoryEvents == findings.items)
        #expect(findings.pending == 0 && findings.other == 0 && findings.unverifiable == 0)
      }
    }
  }

  @Test("An event in which anything differs is wrong, with what was expected and found", arguments: BackEnd.all)
  func differs(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let planting = try Planting(broker)
      for (number, change) in Self.differences.enumerated() {
        let index = number * 7 % planting.output.count
        let place = Planting.place(index, in: planting.output, copy: planting.nextCopy)
        let findings = try planting.audit { change.apply(&$0[index], planting.poisonOffset) }
        let event = planting.output[index]
        expectOne(findings, change.verdict, source: event.source, output: place, change.testDescription)
        let key = String(decoding: event.key!, as: UTF8.self)
        #expect(findings.violations.first?.expected == "\(key) \(event.text!)")
        #expect(findings.violations.first?.found != findings.violations.first?.expected)
      }
    }
  }

  @Test("An event without a source is a phantom", arguments: BackEnd.all)
  func phantom(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let planting = try Planting(broker)
      for (number, change) in Self.phantoms.enumerated() {
        let index = number * 11 % planting.output.count
        var event = planting.output[index]
        change.apply(&event, planting.poisonOffset)
        var names: String? = event.source
        if SourceNames.isNone(event) { names = nil }
        let place = Planting.place(index, in: planting.output, copy: planting.nextCopy)
        let findings = try planting.audit { $0.insert(event, at: index) }
        expectOne(findings, .phantom, source: names, output: place, change.testDescription)
      }
    }
  }

  /// Which of the phantoms name a place at all.
  private enum SourceNames {
    static func isNone(_ event: TestRecord) -> Bool {
      guard event.headers.first?.name == Array("source".utf8) else { return true }
      return event.source.wholeMatch(of: /orders\/\d\/(0|[1-9]\d{0,17})\/(0|[1-9]\d?)/) == nil
    }
  }

  @Test("A lost item and a lost order are named by their sources", arguments: BackEnd.all)
  func lost(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let planting = try Planting(broker)
      let index = planting.firstOfSeveral() + 1
      let item = planting.output[index]
      expectOne(try planting.audit { $0.remove(at: index) }, .lost, source: item.source, output: nil, "item")
      let whole = try planting.audit { $0.removeAll { $0.order == item.order } }
      let sources = planting.output.filter { $0.order == item.order }.map(\.source)
      #expect(sources.count > 1 && whole.violations.map(\.source) == sources)
      #expect(whole.count(.lost) == Int64(sources.count) && whole.violations.allSatisfy { $0.verdict == .lost })
      let all = try planting.audit { $0.removeAll() }
      #expect(all.count(.lost) == all.items && all.violations.count == AuditFindings.violationLimit)
    }
  }

  @Test("An event that is there twice is duplicated, whether wrong or right, near or far", arguments: BackEnd.all)
  func duplicated(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let planting = try Planting(broker)
      let event = planting.output[5]
      for index in [6, planting.output.count] {
        var changed = planting.output
        changed.insert(event, at: index)
        let place = Planting.place(index, in: changed, copy: planting.nextCopy)
        let findings = try planting.audit { $0 = changed }
        expectOne(findings, .duplicated, source: event.source, output: place, "duplicated")
      }
      var wrong = event
      wrong.replace(#""quantity":"#, #""quantity":1"#)
      let both = try planting.audit { $0.append(wrong) }
      #expect(both.count(.duplicated) == 1 && both.count(.wrongAction) == 1 && both.violations.count == 2)
    }
  }

  @Test("Two events in the wrong order are one reordered event", arguments: BackEnd.all)
  func reordered(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let planting = try Planting(broker)
      let first = planting.firstOfSeveral()
      let place = Planting.place(first + 1, in: planting.output, copy: planting.nextCopy)
      let findings = try planting.audit { $0.swapAt(first, first + 1) }
      expectOne(findings, .reordered, source: planting.output[first].source, output: place, "reordered")
    }
  }

  @Test("An event of another source topic is counted and no violation", arguments: BackEnd.all)
  func other(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let planting = try Planting(broker)
      for topic in ["other", "orders.eu", "x/orders", "Orders"] {
        var event = planting.output[0]
        event.source = "\(topic)/0/0/0"
        let findings = try planting.audit { $0.append(event) }
        #expect(findings.isClean && findings.other == 1 && findings.inventoryEvents == findings.items + 1)
      }
    }
  }

  @Test("An event written differently that means the same is no violation", arguments: BackEnd.all)
  func writtenDifferently(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let planting = try Planting(broker)
      let seed: UInt64 = 7
      var random = SeededRandom(seed: seed)
      let findings = try planting.audit { records in
        for index in records.indices { records[index].value = Rewriting.rewrite(records[index].value!, &random) }
      }
      #expect(findings.isClean && findings.inventoryEvents == findings.items, "seed \(seed): \(findings.violations)")
    }
  }
}
