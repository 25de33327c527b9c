import Foundation
import OrderStreamCore
import OrderStreamTestSupport

/// A clean log made by the pipeline, and copies of its output with one thing changed.
final class Planting {
  let broker: any Broker
  let orders: Orders
  /// The output as the pipeline wrote it.
  let output: [TestRecord]
  /// Where the one poison record is.
  let poisonOffset: Offset
  private var copies = 0

  init(_ broker: any Broker) throws {
    self.broker = broker
    orders = try Orders(broker, partitions: 2)
    try orders.produce(60)
    poisonOffset = try orders.ends()[1]
    try broker.produce([TestRecord(partition: 1, key: "p", value: "poison")], to: Orders.topic)
    try orders.produce(60, firstOrder: 61)
    try Run.createOutputs(orders)
    _ = try Run(orders).inventory()
    output = try broker.contents(of: Run.output)
  }

  /// The audit of a copy of the output that `change` has changed, as a topic of its own.
  func audit(_ change: (inout [TestRecord]) throws -> Void) throws -> AuditFindings {
    var records = output
    try change(&records)
    copies += 1
    let topic = "copy-\(copies)"
    try broker.createTopic(topic, partitions: orders.partitions)
    try broker.produce(records, to: topic)
    return try broker.audit(topic)
  }

  /// Where in the copy a record of the array will be.
  static func place(_ index: Int, in records: [TestRecord], copy: Int) -> String {
    let partition = records[index].partition
    let offset = records[..<index].count { $0.partition == partition }
    return "copy-\(copy)[\(partition)]@\(offset)"
  }

  /// The name that the next copy will have, by number.
  var nextCopy: Int { copies + 1 }

  /// An event of an order with several items, its index in `output`; with `line` 0.
  func firstOfSeveral() -> Int {
    output.indices.first { $0 + 1 < output.count && output[$0].line == 0 && output[$0 + 1].order == output[$0].order }!
  }
}

extension TestRecord {
  var source: String {
    get { headers.first.flatMap(\.value).map { String(decoding: $0, as: UTF8.self) } ?? "" }
    set { headers = [Header("source", Array(newValue.utf8))] }
  }

  /// The source without the line.
  var order: String { source.split(separator: "/").dropLast().joined(separator: "/") }
  var line: Int { Int(source.split(separator: "/").last ?? "") ?? -1 }

  /// Replaces text in the value, which must have it.
  mutating func replace(_ old: String, _ new: String) {
    guard let text, let range = text.range(of: old) else { preconditionFailure("the value has no \(old)") }
    value = Array(text.replacingCharacters(in: range, with: new).utf8)
  }
}
