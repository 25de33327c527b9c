import Foundation
import OrderStreamCore
import Testing

/// The lines of a receipt, read as whoever has the file reads them.
public enum ReceiptText {
  /// - Parameter bytes: Of one file or of what would be in it.
  public static func parse(_ bytes: UnsafeRawBufferPointer) throws(ReceiptParser.Malformed) -> [Receipt] {
    var parser = ReceiptParser()
    let line = ByteBuffer()
    var rest = bytes[...]
    while !rest.isEmpty {
      let end = rest.firstIndex(of: UInt8(ascii: "\n"))
      line.removeAll()
      line.append(UnsafeRawBufferPointer(rebasing: rest[..<(end ?? rest.endIndex)]))
      try parser.add(line.bytes, isEnded: end != nil)
      rest = rest[(end.map { $0 + 1 } ?? rest.endIndex)...]
    }
    try parser.finish()
    return parser.receipts
  }

  public static func head(
    topic: String = "t", partitions: Int32, _ source: Receipt.Head.Source = .input(name: "-", isExact: false)
  ) -> Receipt.Head {
    Receipt.Head(
      run: "0123456789abcdef", broker: "here", topic: topic, topicID: nil, partitionCount: partitions,
      startedMilliseconds: 0, version: "1", acks: "all", source: source)
  }

  /// Expects that each chunk has the records of its offsets, to the byte, and each offset once.
  public static func expect(
    _ receipt: Receipt, holdsIn records: [TestRecord], _ location: SourceLocation = #_sourceLocation
  ) {
    var offsets: Set<TopicOffset> = []
    let found = Dictionary(grouping: records, by: \.partition).mapValues {
      Dictionary($0.map { ($0.offset, $0) }, uniquingKeysWith: { first, _ in first })
    }
    for chunk in receipt.partitions.flatMap(\.chunks) {
      let hash = RecordHash()
      for offset in chunk.offsets.joined() {
        #expect(
          offsets.insert(.init(partition: chunk.partition, offset: offset)).inserted, sourceLocation: location)
        guard let record = found[chunk.partition]?[offset] else {
          Issue.record("there is nothing at \(chunk.partition)@\(offset)", sourceLocation: location)
          continue
        }
        (record.key ?? []).withUnsafeBytes { key in
          (record.value ?? []).withUnsafeBytes { value in
            hash.add(key: record.key == nil ? nil : key, value: record.value == nil ? nil : value)
          }
        }
      }
      #expect(hash.finish() == chunk.digest, "chunk \(chunk.number) of \(chunk.partition)", sourceLocation: location)
    }
  }

  private struct TopicOffset: Hashable {
    var partition: Int32
    var offset: Offset
  }
}

extension ReceiptRecorder {
  public convenience init(_ head: Receipt.Head, overflow: @escaping @Sendable () -> Void = {}) {
    self.init(overflow: overflow)
    begin(head)
  }

  /// What a file would hold, with the end or killed before it.
  public func receipt(sent: Int64?) throws -> Receipt {
    if let sent { end(sent: sent, at: 0) }
    let lines = ByteBuffer()
    _ = takeLines(into: lines)
    return try #require(try ReceiptText.parse(lines.bytes).first)
  }
}

extension Stage {
  /// The runs of a file of receipts.
  package func receipts(_ path: String) throws -> [Receipt] {
    let file = URL(fileURLWithPath: path.hasPrefix("/") ? path : "\(work)/\(path)")
    return try Data(contentsOf: file).withUnsafeBytes { bytes in try ReceiptText.parse(bytes) }
  }

  /// The records of a topic of the embedded log, as `tail --exact` prints them.
  package func records(of topic: String) throws -> [TestRecord] {
    let line = ByteBuffer()
    return try run("tail", "--exact", "-q", "-t", topic).lines.map { text in
      line.removeAll()
      line.append(text)
      let value = try #require(DocumentValue(parsing: line.bytes))
      return TestRecord(
        partition: Int32(value["partition"]?.integer ?? -1), offset: value["offset"]?.integer ?? -1,
        key: value["key"]?.text, value: value["value"]?.text)
    }
  }

  /// Expects that what a receipt says is on the embedded log, to the byte.
  package func expectOnLog(_ receipt: Receipt, _ location: SourceLocation = #_sourceLocation) throws {
    ReceiptText.expect(receipt, holdsIn: try records(of: receipt.head.topic), location)
  }
}
