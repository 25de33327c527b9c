import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamEmbedded

/// Databases of which some pages are of one moment and some of another, as a copy has them that was taken page by page
/// while the log was in use. Segments are there in full, and there are no marks: only the database can tell.
@Suite struct TornCopyTests {
  /// A log at one moment, and what it says then.
  struct Moment {
    var pages: [Data]
    var words: Words
  }

  /// What can be asked.
  struct Words: Equatable {
    var watermarks: [String: [Watermarks]] = [:]
    var records: [String: [TestRecord]] = [:]
    var committed: [String: [TopicPartition: Offset]] = [:]
    var state: [String: [Int32: [UInt8]]] = [:]

    init(_ broker: EmbeddedBroker) throws {
      let admin = try broker.admin()
      defer { admin.close() }
      for topic in try admin.topics(named: nil) {
        watermarks[topic.name] = try admin.watermarks(topic: topic.name)
        records[topic.name] = try broker.contents(of: topic.name).sorted {
          ($0.partition, $0.offset) < ($1.partition, $1.offset)
        }
      }
      for group in try admin.groups(named: nil) {
        committed[group.group] = group.committed
        try admin.readState(group: group.group, within: nil) { topic, record in
          state["\(group.group) \(topic)", default: [:]][record.partition] = Array(record.value)
        }
      }
    }
  }

  private let fixture = LogFixture()
  private let place = TemporaryDirectory()
  private var segments: String { place.path + "/segments" }

  /// A log that grows, shrinks, and is read, and what it is in between.
  private func moments() throws -> [Moment] {
    try FileManager.default.createDirectory(atPath: segments, withIntermediateDirectories: false)
    let broker = try fixture.open()
    var moments: [Moment] = []
    for round in 0..<14 {
      for topic in ["t", "u"] where round % 3 != 2 || topic == "t" {
        if round == 0 { try broker.createTopic(topic, partitions: 2) }
        // Batches in rows, and in segments.
        for _ in 0..<12 { try broker.produce(2, to: topic, partitions: 2, prefix: "\(topic)\(round)-") }
        if round % 2 == 1 {
          try broker.produce(40, to: topic, partitions: 2, prefix: String(repeating: "\(round)", count: 1000))
        }
        try Self.commit(broker, topic, group: "g\(round % 2)")
      }
      if round % 4 == 1 { try broker.change(.deleteRecords(TopicPartition(topic: "u", partition: 0), before: 20)) }
      if round % 4 == 2 { try broker.createTopic("side", partitions: 3) }
      if round % 4 == 2 { try broker.produce(30, to: "side", partitions: 3) }
      if round % 4 == 0, round > 0 { try broker.change(.deleteTopic("side")) }
      moments.append(try moment(broker))
    }
    return moments
  }

  private func moment(_ broker: EmbeddedBroker) throws -> Moment {
    let words = try Words(broker)
    #expect(try fixture.integer("PRAGMA wal_checkpoint(TRUNCATE)") == 0)
    let data = try Data(contentsOf: URL(fileURLWithPath: fixture.directory.database))
    let pages = stride(from: 0, to: data.count, by: LogSchema.pageBytes).map {
      data.subdata(in: $0..<$0 + LogSchema.pageBytes)
    }
    // Every segment as long as it ever was.
    for name in try FileManager.default.contentsOfDirectory(atPath: fixture.directory.segments) {
      try? FileManager.default.removeItem(atPath: segments + "/" + name)
      try FileManager.default.copyItem(atPath: fixture.directory.segments + "/" + name, toPath: segments + "/" + name)
    }
    return Moment(pages: pages, words: words)
  }

  /// Everything that is there is read and committed, with state.
  private static func commit(_ broker: EmbeddedBroker, _ topic: String, group: String) throws {
    let consumer = try broker.consumer(ConsumerOptions(topic: topic, membership: .sole(group: group)))
    defer { consumer.close() }
    let transaction = try broker.transaction(for: consumer, outputs: [])
    defer { transaction.close() }
    let (batch, bytes) = (RecordBatch(), ByteBuffer(capacity: 64))
    guard case .assigned(let numbers) = try consumer.poll(into: batch, timeout: .seconds(5)) else {
      throw HarnessError("nothing was assigned")
    }
    let admin = try broker.admin()
    let ends = try admin.watermarks(topic: topic).map(\.high)
    admin.close()
    _ = try consumer.committed(numbers)
    try consumer.assign(numbers.map { PartitionOffset(partition: $0, offset: ends[Int($0)]) })
    for partition in numbers {
      bytes.removeAll()
      bytes.append("\(topic) up to \(ends[Int(partition)])")
      try transaction.putState(partition: partition, key: bytes.bytes, value: bytes.bytes)
    }
    try transaction.commit(numbers.map { PartitionOffset(partition: $0, offset: ends[Int($0)]) })
  }

  private static let smallPages = 40

  /// Pages of two or three moments: one alone, each of any, or as a copy from front to back gets them.
  private static func mixture(_ moments: [Moment], _ random: inout SeededRandom) -> [Data] {
    let first = Int(random.below(UInt64(moments.count - 1)))
    let kind = random.below(6)
    if kind > 2 {
      // An older page among newer ones, or a newer one among older ones.
      let isOlder = random.below(2) == 0
      var pages = moments[isOlder ? first + 1 : first].pages
      let other = moments[isOlder ? first : first + 1].pages
      let different = pages.indices.filter { $0 < other.count && pages[$0] != other[$0] }
      let page = different[Int(random.below(UInt64(different.count)))]
      pages[page] = other[page]
      return pages
    }
    let others = (0..<3).map { _ in min(moments.count - 1, first + Int(random.below(3))) }
    let length = moments[others[0]].pages.count
    let run = [1, 1, 4, 16][Int(random.below(4))]
    // The small tables have one page each, made with the log; their sum fits when all are of one moment.
    let border = kind == 0 ? Int(random.below(UInt64(length))) : kind == 1 ? smallPages : 0
    var chosen = 0
    return (0..<length).map { page in
      if page < border {
        chosen = 0
      } else if kind == 0 {
        chosen = 1
      } else if page % run == 0 {
        chosen = Int(random.below(3))
      }
      let pages = moments[others[chosen]].pages
      return page < pages.count ? pages[page] : Data(count: LogSchema.pageBytes)
    }
  }

  @Test("A database of two moments is named as damaged, or says what the log said at one")
  func torn() throws {
    let seed = UInt64.random(in: 0...999_999)
    let rounds = Int(ProcessInfo.processInfo.environment["ORDERSTREAM_TEST_TORN"] ?? "") ?? 20
    print("torn copies: \(rounds), seed \(seed)")
    var random = SeededRandom(seed: seed)
    let moments = try moments()
    var (right, named) = (0, 0)
    for round in 0..<rounds {
      let copy = LogDirectory(path: "\(place.path)/\(round)")
      try FileManager.default.createDirectory(atPath: copy.path, withIntermediateDirectories: false)
      try FileManager.default.copyItem(atPath: segments, toPath: copy.segments)
      try Data(Self.mixture(moments, &random).joined()).write(to: URL(fileURLWithPath: copy.database))
      do {
        try use(copy, moments, "seed \(seed), round \(round)")
        right += 1
      } catch let error as BrokerError {
        if error.code != .damaged { Issue.record("\(error.code) \(error), seed \(seed), round \(round)") }
        named += 1
      }
      try FileManager.default.removeItem(atPath: copy.path)
    }
    print("torn copies: \(right) right, \(named) named")
  }

  @Test("A batch behind the end of its partition is named when the log is opened")
  func behindTheEnd() throws {
    let fixture = try LogFixture.filled()
    try fixture.edit(
      """
      INSERT INTO batch (id, count, min_timestamp, max_timestamp, crc, payload, segment, position, bytes)
      SELECT id + count, count, min_timestamp, max_timestamp, crc, payload, segment, position, bytes
      FROM batch WHERE id = (SELECT max(id) FROM batch WHERE id < 2 << 40)
      """)
    let error = fixture.readingError()
    #expect(error?.code == .damaged, "\(String(describing: error))")
    #expect(error?.description.contains("t[0]@3000: there are records behind the end") == true)
  }

  @Test(
    "Row ids that were given out and are forgotten are named when the log is opened", arguments: ["topic", "segment"])
  func sequence(_ table: String) throws {
    let fixture = try LogFixture.filled()
    #expect(fixture.readingError() == nil)
    let broker = try fixture.open()
    try broker.createTopic("gone")
    try broker.produce(40, to: "gone", prefix: String(repeating: "x", count: 1000))
    try broker.change(.deleteTopic("gone"))
    try fixture.edit("UPDATE sqlite_sequence SET seq = seq - 1 WHERE name = '\(table)'")
    let error = fixture.readingError()
    #expect(error?.code == .damaged && error?.why.contains("not of one moment") == true, "\(String(describing: error))")
  }

  @Test("A copy knows that it is one until something is written to it")
  func knowsItself() throws {
    let fixture = try LogFixture.filled()
    #expect(try !TailMarks(fixture.directory).areOfAnotherFile())
    let copy = try fixture.copy(to: "copy")
    #expect(try TailMarks(copy).areOfAnotherFile())
    let broker = try EmbeddedBroker.open(directory: copy.path, log: SilentLog(), time: SystemTime())
    #expect(try TailMarks(copy).areOfAnotherFile())
    try broker.produce(1, to: "t", partitions: 3)
    #expect(try !TailMarks(copy).areOfAnotherFile())
  }

  /// Asks, changes, and asks again.
  private func use(_ copy: LogDirectory, _ moments: [Moment], _ place: String) throws {
    let broker = try EmbeddedBroker.open(directory: copy.path, log: SilentLog(), time: SystemTime())
    var words = try Words(broker)
    #expect(moments.contains { $0.words == words }, "\(place)")
    for topic in words.records.keys.sorted() {
      let partitions = Int32(words.watermarks[topic]?.count ?? 0)
      try broker.produce(Int(partitions) * 2, to: topic, partitions: partitions, prefix: "new")
      try broker.produce(40, to: topic, partitions: partitions, prefix: String(repeating: "n", count: 1000))
      try Self.commit(broker, topic, group: "g0")
    }
    let admin = try broker.admin()
    for group in words.committed.keys where group != "g0" { try admin.apply(.deleteGroup(group)) }
    admin.close()
    try broker.createTopic("new", partitions: 2)
    try broker.produce(9, to: "new", partitions: 2)
    let after = try Words(broker)
    for (topic, records) in words.records {
      let kept = after.records[topic]?.filter { record in
        !(record.text?.hasPrefix("new") ?? false) && !(record.text?.hasPrefix("nnn") ?? false)
      }
      #expect(kept == records, "\(topic), \(place)")
      #expect(after.records[topic]?.count == records.count + 2 * (words.watermarks[topic]?.count ?? 0) + 40, "\(place)")
    }
    #expect(after.records["new"]?.count == 9, "\(place)")
    try broker.change(.deleteRecords(TopicPartition(topic: "t", partition: 1), before: 10))
    try broker.change(.deleteTopic("u"))
    words = try Words(broker)
    #expect(words.records["u"] == nil && words.records["t"]?.first { $0.partition == 1 }?.offset == 10, "\(place)")
    #expect(Set(words.committed.keys).isSubset(of: ["g0"]), "\(place)")
  }
}
