/// Joins the orders of a topic with its inventory events and finds every violation of exactly-once.
///
/// The output is read in windows; for each window the source orders that its events name are read again and compared
/// field by field, and each item found is marked in two bytes an order. Then the orders are read once more: an item
/// without a mark is lost. So memory does not grow with the size of events, and no verdict rests on a hash.
public final class Audit {
  public struct Settings: Sendable {
    public var topic: String
    public var outputTopic: String
    /// A group whose uncommitted orders are pending, not lost.
    public var group: String?
    /// Whose dead letters are checked too; `nil` for none. It may be missing where nothing was rejected.
    public var deadLetterTopic: String?
    /// The orders that are audited; `nil`: all.
    public var places: AuditScope.Places?

    public init(
      topic: String, outputTopic: String, group: String?, deadLetterTopic: String? = nil,
      places: AuditScope.Places? = nil
    ) {
      self.topic = topic
      self.outputTopic = outputTopic
      self.group = group
      self.deadLetterTopic = deadLetterTopic
      self.places = places
    }
  }

  /// In records.
  private static let progressInterval: Int64 = 10_000

  private let settings: Settings
  private let stop: StopFlag
  private let waits: (PipelineWait) -> Void
  private let progress: (_ read: Int64, _ inAll: Int64) -> Void
  private let topicBytes: [UInt8]
  private let broker: any Broker

  private let scope: AuditScope
  private let source: [Range<Offset>]
  private let output: [Range<Offset>]
  private let committed: [Offset?]
  private let letters: DeadLetterCheck?
  /// What was found so far.
  public private(set) var findings: AuditFindings
  private var seen: SeenItems
  private var placement: KeyPlacement
  /// By source partition: the largest source position so far in the output partition that was judged last.
  private var lastPosition: [(output: Int32, position: Position)]
  /// The first source position that an output partition has of a source partition, for those that have lost their start.
  private var firstPosition: [PartitionPair: Position] = [:]
  private let window = AuditWindow()
  private let decoder = OrderDecoder()
  private let matcher = InventoryEventMatcher()
  private let expected = ByteBuffer()

  private struct PartitionPair: Hashable {
    let output: Int32
    let source: Int32
  }

  private struct Position: Comparable {
    let offset: Offset
    let line: Int32

    static func < (left: Self, right: Self) -> Bool { (left.offset, left.line) < (right.offset, right.line) }
  }

  /// Freezes the ends: the output's first, then the input's, so that every source of an event lies below.
  public init(
    _ settings: Settings, broker: any Broker, admin: any Admin, stop: StopFlag,
    waits: @escaping (PipelineWait) -> Void, progress: @escaping (_ read: Int64, _ inAll: Int64) -> Void
  ) throws(BrokerError) {
    self.settings = settings
    self.broker = broker
    self.stop = stop
    self.waits = waits
    self.progress = progress
    topicBytes = Array(settings.topic.utf8)
    var committed: [TopicPartition: Offset] = [:]
    if let group = settings.group { committed = try admin.group(group)?.committed ?? [:] }
    if let name = settings.deadLetterTopic {
      let isThere = try admin.topic(name) != nil
      letters = DeadLetterCheck(
        DeadLetterCheck.Settings(topic: settings.topic, letterTopic: name, group: settings.group),
        letters: isThere ? try admin.watermarks(topic: name).map { $0.low..<$0.high } : [])
    } else {
      letters = nil
    }
    output = try admin.watermarks(topic: settings.outputTopic).map { $0.low..<$0.high }
    scope = try AuditScope(settings.places, of: settings.topic, admin.watermarks(topic: settings.topic), admin)
    source = scope.audited
    self.committed = source.indices.map {
      committed[TopicPartition(topic: settings.topic, partition: Int32($0))]
    }
    findings = AuditFindings()
    placement = KeyPlacement(output)
    seen = SeenItems(source)
    lastPosition = Array(repeating: (-1, Position(offset: 0, line: 0)), count: source.count)
  }

  /// Whose uncommitted items are pending.
  public var group: String? { settings.group }

  /// What is audited, by partition: of the orders, and of the inventory events.
  public var ranges: (source: [Range<Offset>], output: [Range<Offset>]) { (source, output) }

  /// The orders that are audited, by partition; `nil` for all.
  public var askedRanges: [Range<Offset>]? { scope.isPart ? source : nil }

  /// Records of both topics that were read so far, and those that the audit reads in all.
  public var recordsRead: Int64 {
    findings.inventoryEvents + (letters?.found.records ?? 0) + findings.orders + findings.rejected
  }
  public var recordsInAll: Int64 { (output + (letters?.letters ?? []) + source).reduce(0) { $0 + Int64($1.count) } }

  /// Runs the audit, whose result is in `findings`; `false` when a stop was requested before it was done.
  public func run() throws(BrokerError) -> Bool {
    let outputReader = try reader(settings.outputTopic)
    defer { outputReader.close() }
    let sourceReader = try reader(settings.topic)
    defer { sourceReader.close() }
    // Partition by partition, because the orders of one output partition mostly lie in one source partition, in the
    // same order: then the sources are read on and never back. A window may span many partitions, because each window
    // asks for its sources anew.
    let isRead = try outputReader.read(Self.ranges(output)) { record throws(BrokerError) in
      take(record)
      if window.isFull && !stop.isRequested { try verifyWindow(sourceReader) }
      return true
    }
    guard isRead else { return false }
    try verifyWindow(sourceReader)
    if let letters {
      defer {
        findings.deadLetters = letters.found
        findings.add(violationsOf: letters.takeFindings())
      }
      guard try readLetters(letters, sourceReader), try findLost(sourceReader) else { return false }
    } else {
      guard try findLost(sourceReader) else { return false }
    }
    return !stop.isRequested
  }

  private func readLetters(_ letters: DeadLetterCheck, _ sourceReader: TopicReader) throws(BrokerError) -> Bool {
    if letters.letters.isEmpty { return true }
    let reader = try reader(letters.settings.letterTopic)
    defer { reader.close() }
    return try letters.read(reader, scope, sourceReader, seen: &seen, stop: stop) { tellProgress() }
  }

  private static func ranges(_ offsets: [Range<Offset>]) -> [PartitionRange] {
    offsets.enumerated().map { PartitionRange(partition: Int32($0), offsets: $1) }
  }

  private func reader(_ topic: String) throws(BrokerError) -> TopicReader {
    try TopicReader(topic: topic, broker: broker, stop: stop, waits: waits)
  }

  private func tellProgress() { progress(recordsRead, recordsInAll) }

  private func take(_ record: RecordBatch.View) {
    findings.inventoryEvents += 1
    if findings.inventoryEvents % Self.progressInterval == 0 { tellProgress() }
    let header = topicBytes.withUnsafeBytes { topic in
      record.headers.first(named: "source").flatMap { SourceHeader($0, topic: topic) }
    }
    window.append(record, source: header)
  }

  // MARK: - Windows

  private func verifyWindow(_ reader: TopicReader) throws(BrokerError) {
    let isRead = try window.readSources(scope, reader) { [self] record, events in compare(record, events) }
    // Cut short: nothing is judged by what was not read.
    guard isRead else { return }
    try judge()
    tellProgress()
    window.removeAll()
  }

  /// Compares the events of a window that name this order with what they must be.
  private func compare(_ record: RecordBatch.View, _ events: ArraySlice<Int>) {
    guard decoder.decode(record.value) == nil else { return }
    let items = decoder.order.items
    for index in events {
      guard let header = window.events[index].source, header.line < items.count else { continue }
      let item = items[Int(header.line)]
      InventoryEventEncoder.encode(order: decoder.order, item: item, into: expected)
      let matches = matchesExpected(window.events[index], item)
      window.setFound(itemCount: items.count, verdict: matches ? .matches : .differs, at: index)
      if !matches {
        window.noteExpected(AuditFindings.text(key: decoder.order.orderID, value: expected.bytes), at: index)
      }
    }
  }

  /// Whether key and value are those expected; the same JSON written in another way is.
  private func matchesExpected(_ event: AuditWindow.Event, _ item: DecodedOrder.Item) -> Bool {
    guard let key = window.key(event), let value = window.value(event), key.holdsSameBytes(as: decoder.order.orderID)
    else {
      return false
    }
    return value.holdsSameBytes(as: expected.bytes) || matcher.matches(value, order: decoder.order, item: item)
  }

  /// Decides about the events of the window, in output order.
  private func judge() throws(BrokerError) {
    for (index, event) in window.events.enumerated() {
      let place = Coordinates(
        TopicPartition(topic: settings.outputTopic, partition: event.outputPartition), offset: event.outputOffset)
      let found = { [window] in
        AuditFindings.text(key: window.key(event), value: window.value(event))
      }
      guard let header = event.source else {
        findings.add(.phantom, source: nil, output: place, expected: "a source header", found: found())
        continue
      }
      // Only for findings: a text an event would cost as much as the comparison.
      var source: String { AuditFindings.source(settings.topic, header.partition, header.offset, header.line) }
      switch event.verdict {
      case .other: findings.other += 1
      case .unverifiable: findings.unverifiable += 1
      case .outside:
        findings.outside += 1
        noteFirst(header, event)
      case .unknown:
        findings.add(
          .phantom, source: source, output: place, expected: "no event: there is no such item", found: found())
      case .differs:
        findings.add(
          .wrongAction, source: source, output: place, expected: window.expectedText(at: index), found: found())
        settle(header, event, source: source, place: place)
      case .matches:
        try checkPlacement(event, source: source, place: place)
        settle(header, event, source: source, place: place)
      }
    }
  }

  /// Whether an event lies in the partition of its key.
  private func checkPlacement(
    _ event: AuditWindow.Event, source: @autoclosure () -> String, place: Coordinates
  ) throws(BrokerError) {
    guard let key = window.key(event) else { return }
    let verdict = try placement.verdict(of: key, in: event.outputPartition, timestampMs: event.timestampMs) {
      () throws(BrokerError) in try reader(settings.outputTopic)
    }
    switch verdict {
    case .right: break
    case .unknown: findings.unverifiable += 1
    case .wrong(let partition):
      findings.add(
        .wrongPartition, source: source(), output: place,
        expected: "partition \(partition), of the hash of its key \(AuditFindings.text(key) ?? "")",
        found: "partition \(event.outputPartition)")
    }
  }

  /// Marks an item as seen; a second time it is duplicated, and after a later one of its partition reordered.
  private func settle(
    _ header: SourceHeader, _ event: AuditWindow.Event, source: @autoclosure () -> String, place: Coordinates
  ) {
    let wasSeen = seen.mark(
      partition: header.partition, offset: header.offset, line: header.line, itemCount: event.itemCount)
    if wasSeen {
      findings.add(.duplicated, source: source(), output: place, expected: "once", found: "again")
      return
    }
    let position = Position(offset: header.offset, line: header.line)
    noteFirst(header, event)
    // Output partitions are judged one after the other, so nothing is kept for each pair.
    let last = lastPosition[Int(header.partition)]
    if last.output == event.outputPartition, position < last.position {
      findings.add(
        .reordered, source: source(), output: place, expected: "before the event of offset \(last.position.offset)",
        found: "after it")
    } else {
      lastPosition[Int(header.partition)] = (event.outputPartition, position)
    }
  }

  /// Notes where an output partition that has lost its start begins.
  private func noteFirst(_ header: SourceHeader, _ event: AuditWindow.Event) {
    guard output[Int(event.outputPartition)].lowerBound > 0 else { return }
    let pair = PartitionPair(output: event.outputPartition, source: header.partition)
    if firstPosition[pair] == nil { firstPosition[pair] = Position(offset: header.offset, line: header.line) }
  }

  // MARK: - Lost

  private func findLost(_ reader: TopicReader) throws(BrokerError) -> Bool {
    try reader.read(Self.ranges(source)) { [self] record throws(BrokerError) in
      if let poison = decoder.decode(record.value) {
        findings.rejected += 1
        if let letters, !seen.isMarked(partition: record.partition, offset: record.offset, line: 0, itemCount: 1) {
          letters.addMissing(record, poison, isPending: isPending(record))
        }
        return true
      }
      let count = decoder.order.items.count
      findings.orders += 1
      findings.items += Int64(count)
      if findings.orders % Self.progressInterval == 0 { tellProgress() }
      if !seen.isComplete(partition: record.partition, offset: record.offset, itemCount: count) {
        addMissing(record, count)
      }
      return true
    }
  }

  /// Whether there is a group, and it has not committed the record.
  private func isPending(_ record: RecordBatch.View) -> Bool {
    settings.group != nil
      && record.offset >= committed[Int(record.partition)] ?? source[Int(record.partition)].lowerBound
  }

  private func addMissing(_ record: RecordBatch.View, _ count: Int) {
    let isPending = isPending(record)
    if isPending { findings.pendingOrders += 1 }
    for (line, item) in decoder.order.items.enumerated() {
      let line = Int32(line)
      if seen.isMarked(partition: record.partition, offset: record.offset, line: line, itemCount: count) { continue }
      if isPending {
        findings.pending += 1
      } else if mayHaveBeenRemoved(record) {
        findings.unverifiable += 1
      } else {
        InventoryEventEncoder.encode(order: decoder.order, item: item, into: expected)
        findings.add(
          .lost, source: AuditFindings.source(settings.topic, record.partition, record.offset, line), output: nil,
          expected: AuditFindings.text(key: decoder.order.orderID, value: expected.bytes), found: "nothing")
      }
    }
  }

  /// Retention has removed the start of the output partition, and this order lies before the first one that is left.
  private func mayHaveBeenRemoved(_ record: RecordBatch.View) -> Bool {
    let number = Partitioner.partition(key: decoder.order.orderID, count: Int32(output.count))
    guard output[Int(number)].lowerBound > 0 else { return false }
    guard let first = firstPosition[PartitionPair(output: number, source: record.partition)] else { return true }
    return record.offset <= first.offset
  }
}
