import Testing

@testable import OrderStreamCore

/// The lines of receipts: what is written is read again, and what was altered, cut off or is something else is told apart.
@Suite("Receipts")
struct ReceiptTests {
  private static func head(
    _ source: Receipt.Head.Source = .orders(.init(seed: 7, count: 10_000)), run: String = "0123456789abcdef"
  ) -> Receipt.Head {
    Receipt.Head(
      run: run, broker: "embedded:/tmp/ä \"b\"", topic: "order-events", topicID: nil, partitionCount: 3,
      startedMilliseconds: 1_700_000_000_000, version: "1.0", acks: "all", source: source)
  }

  private static func digest(_ text: String) -> Digest {
    var text = text
    return text.withUTF8 { Digest(of: UnsafeRawBufferPointer($0)) }
  }

  private static func chunk(
    _ partition: Int32, _ number: Int64, _ offsets: [ClosedRange<Offset>], _ orders: ClosedRange<Int64>? = 1...5000
  ) -> Receipt.Chunk {
    Receipt.Chunk(
      partition: partition, number: number, offsets: offsets, orders: orders, digest: digest("\(number) \(offsets)"))
  }

  private static func tail(acknowledged: Int64, withoutOffset: Int64 = 0) -> Receipt.Tail {
    var tail = Receipt.Tail(isComplete: true, endedMilliseconds: 1_700_000_001_000)
    (tail.acknowledged, tail.withoutOffset) = (acknowledged, withoutOffset)
    return tail
  }

  private static func text(_ lines: [ReceiptLine]) -> String {
    let buffer = ByteBuffer()
    for line in lines { line.append(to: buffer) }
    return String(decoding: buffer.bytes, as: UTF8.self)
  }

  private static func parse(_ text: String) throws(ReceiptParser.Malformed) -> [Receipt] {
    var parser = ReceiptParser()
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let rest = lines.removeLast()
    let buffer = ByteBuffer()
    for line in lines {
      buffer.removeAll()
      buffer.append(line)
      try parser.add(buffer.bytes)
    }
    if !rest.isEmpty {
      buffer.removeAll()
      buffer.append(rest)
      try parser.add(buffer.bytes, isEnded: false)
    }
    try parser.finish()
    return parser.receipts
  }

  @Test(
    "the head says how each order is made again",
    arguments: [
      .init(seed: .max, failureRate: 1.0 / 3, users: 17, firstOrder: 20, count: 5),
      .init(seed: 0, failureRate: 1e-300, count: 0),
      .init(
        seed: 1 << 63, count: 10,
        eventTime: .span(startSeconds: -5, startNanoseconds: 999_999_999, spanNanoseconds: 86_400_000_000_000)),
      .init(seed: 7, count: 10, eventTime: .stepped(startSeconds: 1_705_314_600, perSecond: 1000.0 / 3)),
      .init(seed: 7, firstOrder: .max, count: 1),
    ] as [OrderGenerator.Options])
  func options(_ options: OrderGenerator.Options) throws {
    let head = Self.head(.orders(options))
    #expect(try Self.parse(Self.text([.head(head)])).map(\.head) == [head])
  }

  @Test("every line is read as it was written")
  func roundTrip() throws {
    var first = Receipt(Self.head())
    first.partitions[0].chunks = [
      Self.chunk(0, 0, [0...998, 1000...1000], 2...17_000), Self.chunk(0, 1, [5...5], .max ... .max),
    ]
    first.partitions[2].chunks = [Self.chunk(2, 0, [(1 << 62)...(1 << 62)])]
    first.partitions[1].withoutOffset = [
      Receipt.Unplaced(partition: 1, key: "order_000012", digest: Self.digest("a")),
      Receipt.Unplaced(partition: 1, key: nil, digest: Self.digest("b")),
    ]
    var tail = Self.tail(acknowledged: 1004, withoutOffset: 2)
    (tail.isComplete, tail.failed, tail.unknown) = (false, 7, 2)
    (tail.failedOrders, tail.unknownOrders) = ([1...3, 9...12], [100...101])
    first.tail = tail
    var second = Receipt(Self.head(.input(name: "a\nb.jsonl", isExact: true), run: "fedcba9876543210"))
    second.head.topicID = "Xyz_-1"
    second.partitions[1].chunks = [Self.chunk(1, 0, [3...4], nil)]
    tail = Self.tail(acknowledged: 2)
    (tail.inputDigest, tail.inputLines) = (Self.digest("all"), 12)
    second.tail = tail
    let text = Self.text([
      .head(first.head), .chunk(Self.chunk(0, 0, [0...5])), .chunk(first.partitions[0].chunks[0]),
      .withoutOffset([first.partitions[1].withoutOffset[0]]), .chunk(first.partitions[0].chunks[1]),
      .withoutOffset([first.partitions[1].withoutOffset[1]]), .chunk(first.partitions[2].chunks[0]),
      .tail(try #require(first.tail)), .head(second.head), .chunk(second.partitions[1].chunks[0]), .tail(tail),
    ])
    #expect(try Self.parse(text) == [first, second])
    #expect(first.acknowledged == 1004)
  }

  @Test("the format is this, to the byte")
  func bytes() {
    var tail = Self.tail(acknowledged: 3, withoutOffset: 1)
    tail.unknownOrders = [4...4]
    tail.unknown = 1
    tail.isComplete = false
    let digest = Self.digest("")
    let text = Self.text([
      .head(
        Self.head(
          .orders(
            .init(seed: 7, count: 4, eventTime: .span(startSeconds: 1_705_314_600, spanNanoseconds: 60_000_000_000))))),
      .chunk(.init(partition: 2, number: 0, offsets: [0...0, 4...4], orders: 1...2, digest: digest)),
      .withoutOffset([.init(partition: 2, key: "order_000003", digest: digest)]), .tail(tail),
      .head(Self.head(.input(name: "orders.jsonl", isExact: false))),
    ])
    let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    let start = #"""
      {"schema":"orderstream.receipt/1","run":"0123456789abcdef","broker":"embedded:/tmp/ä \"b\"","topic":"order-events","topic_id":null,"partitions":3,"started_at":"2023-11-14T22:13:20Z","version":"1.0","acks":"all","digest":"sha256","chunk_records":1000,
      """#.dropLast()
    #expect(
      text == """
        \(start),"orders":{"seed":7,"first_order":1,"events":4,"failure_rate":0.05,"users":1000,\
        "event_time":{"kind":"span","start_seconds":1705314600,"start_nanoseconds":0,"span_nanoseconds":60000000000}}}
        {"partition":2,"chunk":0,"offsets":[[0,0],[4,4]],"records":2,"orders":[1,2],"sha256":"\(hash)"}
        {"partition":2,"without_offset":[{"key":"order_000003","sha256":"\(hash)"}]}
        {"complete":false,"ended_at":"2023-11-14T22:13:21Z","acknowledged":3,"without_offset":1,"failed":0,"unknown":1,\
        "failed_orders":[],"unknown_orders":[[4,4]],"input_sha256":null,"input_lines":null}
        \(start),"input":{"name":"orders.jsonl","exact":false}}

        """)
  }

  @Test("a line that was cut off is passed over at the end of the file, and before the run that came next")
  func torn() throws {
    let whole = Self.text([.head(Self.head()), .chunk(Self.chunk(0, 0, [0...4])), .chunk(Self.chunk(0, 0, [0...9]))])
    let lines = whole.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let start = lines[0] + "\n" + lines[1] + "\n"
    for length in 0..<lines[2].utf8.count {
      let cut = start + lines[2].prefix(length)
      #expect(try Self.parse(cut)[0].partitions[0].chunks.map(\.records) == [5], "after \(length) bytes")
      let two = try Self.parse(cut + "\n" + whole)
      #expect(two.map { $0.partitions[0].records } == [5, 10], "after \(length) bytes")
    }
    // All but the line feed is all.
    #expect(try Self.parse(String(whole.dropLast()))[0].partitions[0].records == 10)
    // Even the first line, and two runs one after the other.
    #expect(try Self.parse(String(lines[0].prefix(40))).isEmpty)
    #expect(try Self.parse(lines[0].prefix(40) + "\n" + lines[0].prefix(70)).isEmpty)
    #expect(try Self.parse(lines[0].prefix(40) + "\n" + whole).count == 1)
  }

  @Test("what was altered, left out or is something else is named by its line")
  func malformed() throws {
    let whole: [ReceiptLine] = [
      .head(Self.head()), .chunk(Self.chunk(0, 0, [0...9])), .chunk(Self.chunk(0, 1, [10...11])),
      .chunk(Self.chunk(1, 0, [0...0])), .tail(Self.tail(acknowledged: 13)),
    ]
    func expect(_ line: Int64, _ why: String, _ text: String, _ location: SourceLocation = #_sourceLocation) {
      #expect(
        throws: ReceiptParser.Malformed(line: line, why: why), sourceLocation: location,
        performing: { try Self.parse(text) })
    }
    func expect(_ line: Int64, _ why: String, _ lines: [ReceiptLine], _ location: SourceLocation = #_sourceLocation) {
      expect(line, why, Self.text(lines), location)
    }
    expect(2, "it is chunk 1 of partition 0, where chunk 0 comes next", [whole[0]] + whole[2...])
    expect(
      4, "it says that 13 records were acknowledged, and the lines before it have 12", Array(whole[..<3]) + [whole[4]])
    expect(6, "it follows the end of its run", whole + [whole[3]])
    expect(1, "this is not a file of receipts", Array(whole[1...]))
    expect(2, "it is of partition 3, and the topic has 3", [whole[0], .chunk(Self.chunk(3, 0, [0...1]))])
    expect(2, "its orders are those of another kind of run", [whole[0], .chunk(Self.chunk(0, 0, [0...1], nil))])
    expect(1, "this is not a file of receipts", "order_id,total\n1,2\n")
    expect(1, "this is not a file of receipts", "{\"schema\":\"orderstream.certificate/1\"")
    expect(
      1, "its schema is orderstream.receipt/2 and not orderstream.receipt/1", "{\"schema\":\"orderstream.receipt/2\"}\n"
    )
    let text = Self.text(whole)
    let none = "its records are not as many as its offsets, from 1 to 1000"
    for (old, new, line, why) in [
      ("[[0,9]]", "[[0,8]]", 2, none), ("[[0,9]]", "[[0,4],[4,8]]", 2, "its offsets is missing or wrong"),
      ("[[0,9]]", "[[0,0],[1,9223372036854775807]]", 2, none),
      ("[[10,11]]", "[[11,10]]", 3, "its offsets is missing or wrong"),
      ("\"records\":2", "\"records\":-2", 3, "its records is missing or wrong"),
      ("\"chunk_records\":1000", "\"chunk_records\":10", 1, "its digests are not of 1000 records a chunk by sha256"),
      ("\"users\":1000", "\"users\":0", 1, "its orders cannot be made: there must be at least one user"),
      ("\"wall_clock\"", "\"moon\"", 1, "its start_seconds is missing or wrong"),
      ("\"partitions\":3", "\"partitions\":0", 1, "its partitions is missing or wrong"),
      ("\"sha256\":\"", "\"sha256\":\"x", 2, "its sha256 is missing or wrong"),
      ("\"chunk\":1,", "\"part\":1,", 3, "it is no line of a receipt"),
      ("\"chunk\":1,", "\"chunk\":1,,", 3, "it is not a JSON object"),
    ] as [(String, String, Int64, String)] {
      #expect(text.contains(old))
      expect(line, why, text.replacing(old, with: new, maxReplacements: 1))
    }
    // A last line that has its line feed was not cut off.
    expect(3, "it is not a JSON object", Self.text(Array(whole[..<2])) + "{\"partition\":0,\"chu\n")
  }

  @Test("a chunk's digest is the one of its records, and an open one can be told at any time")
  func digests() {
    let texts = (0..<2500).map { "value \($0)" }
    var all = RecordDigests()
    let hash = RecordHash()
    let open = IncrementalHash()
    var chunks: [Digest] = []
    for (index, text) in texts.enumerated() {
      let bytes = Array(text.utf8)
      bytes.withUnsafeBytes { value in
        let key = index % 3 == 0 ? nil : value
        _ = all.add(key: key, value: value)
        hash.add(key: key, value: value)
        let record = ByteBuffer()
        RecordDigests.append(key: key, value: value, to: record)
        open.add(record.bytes)
      }
      if index == 1999 { _ = open.soFar }
      if hash.records == 1000 { chunks.append(hash.finish()) }
      if index % 1000 == 999 { #expect(open.finish() == chunks.last) }
    }
    let rest = open.soFar
    #expect(open.soFar == rest)
    chunks.append(hash.finish())
    _ = all.finish()
    #expect(chunks == all.digests && chunks.last == rest)
    let one = Array("a".utf8)
    one.withUnsafeBytes { #expect(Digest(key: $0, value: nil) != Digest(key: nil, value: $0)) }
  }
}
