/// Whether what producers were told is on the log is there, as it was, and once.
///
/// Each partition is read once in the order of its offsets, and the records of each chunk of each receipt are digested. Where
/// a chunk differs and its orders were generated, they are generated again and compared with what is there, so that the very
/// order is named. Memory is that of the receipts, and of a slice of the records that no receipt names.
public final class ReceiptCheck {
  public let topic: String
  private let receipts: [ReceiptOfFile]
  private let broker: any Broker
  private let stop: StopFlag
  private let waits: (PipelineWait) -> Void
  private let progress: (_ read: Int64, _ inAll: Int64) -> Void
  private let ranges: [Range<Offset>]
  /// By run; `nil` where the lines are somebody else's.
  private let orders: [ReceiptOrders?]
  private let unreceipted: UnreceiptedRecords
  public private(set) var found: ReceiptFindings
  private var violations = AuditFindings()
  public private(set) var recordsRead: Int64 = 0
  private var partition = -1
  private var walk: ReceiptWalk
  private var affected: [Affected] = []
  private var second: TopicReader?

  /// A chunk that is not as the receipt has it.
  private struct Affected {
    var chunk: ReceiptWalk.Open
    /// Whether all its records are there, so that its digest says that one of them is another.
    var differs: Bool
  }

  /// In records.
  private static let progressInterval: Int64 = 10_000

  /// Freezes the ends: what the receipts name was there before.
  public init(
    topic: String, _ receipts: [ReceiptOfFile], broker: any Broker, admin: any Admin, stop: StopFlag,
    waits: @escaping (PipelineWait) -> Void, progress: @escaping (_ read: Int64, _ inAll: Int64) -> Void
  ) throws(BrokerError) {
    self.topic = topic
    self.receipts = receipts
    self.broker = broker
    self.stop = stop
    self.waits = waits
    self.progress = progress
    ranges = try admin.watermarks(topic: topic).map { $0.low..<$0.high }
    found = ReceiptFindings(runs: receipts.map(ReceiptFindings.Run.init))
    orders = receipts.map { ReceiptOrders($0.receipt) }
    unreceipted = UnreceiptedRecords(topic: topic, receipts)
    walk = ReceiptWalk([], partition: 0, low: 0, isHashing: false)
    if let id = try admin.topic(topic)?.id {
      for (run, file) in receipts.enumerated() {
        found.runs[run].isSameTopic = file.receipt.head.topicID.map { $0 == id }
      }
    }
  }

  public var recordsInAll: Int64 { ranges.reduce(0) { $0 + Int64($1.count) } }

  /// Hands out the violations.
  public func add(to findings: inout AuditFindings) {
    findings.receipts = found
    findings.add(violationsOf: violations)
  }

  /// Runs the check; `false` when a stop was requested before it was done.
  public func run() throws(BrokerError) -> Bool {
    let reader = try TopicReader(topic: topic, broker: broker, stop: stop, waits: waits)
    defer {
      reader.close()
      second?.close()
    }
    let wanted = ranges.enumerated().map { PartitionRange(partition: Int32($0), offsets: $1) }
    let isRead = try reader.read(wanted) { record throws(BrokerError) in
      try enter(Int(record.partition))
      try take(record)
      return !stop.isRequested
    }
    guard isRead, !stop.isRequested else { return false }
    let named = receipts.map(\.receipt.partitions.count).max() ?? 0
    try enter(max(named, ranges.count))
    return !stop.isRequested
  }

  /// For what is read again while the first reader stays where it is.
  private func secondReader() throws(BrokerError) -> TopicReader {
    if let second { return second }
    let reader = try TopicReader(topic: topic, broker: broker, stop: stop, waits: waits)
    second = reader
    return reader
  }

  private func range(_ number: Int) -> Range<Offset> { ranges.indices.contains(number) ? ranges[number] : 0..<0 }

  /// Ends the partitions before one, also those that have no record.
  private func enter(_ number: Int) throws(BrokerError) {
    while partition < number {
      if partition >= 0 { try endPartition() }
      partition += 1
      walk = ReceiptWalk(receipts, partition: partition, low: range(partition).lowerBound, isHashing: true)
      unreceipted.begin(partition, range(partition))
    }
  }

  private func take(_ record: RecordBatch.View) throws(BrokerError) {
    recordsRead += 1
    if recordsRead % Self.progressInterval == 0 { progress(recordsRead, recordsInAll) }
    if walk.take(record, { close($0, $1) }) != nil { return }
    unreceipted.add(record, orders)
    if unreceipted.isFull { try resolveUnreceipted() }
  }

  /// Decides about a chunk that is over by its digest, or leaves it to a closer look.
  private func close(_ chunk: ReceiptWalk.Open, _ digest: Digest?) {
    let (run, records) = (chunk.index.run, receipt(chunk).records)
    found.runs[run].partitions[partition].missing += chunk.missing
    found.runs[run].partitions[partition].unverifiable += chunk.removed
    let isWhole = chunk.present == records
    if isWhole && digest == receipt(chunk).digest { return }
    affected.append(Affected(chunk: chunk, differs: isWhole))
  }

  private func receipt(_ chunk: ReceiptWalk.Open) -> Receipt.Chunk {
    receipts[chunk.index.run].receipt.partitions[partition].chunks[chunk.index.chunk]
  }

  private func endPartition() throws(BrokerError) {
    walk.finish { close($0, $1) }
    if !affected.isEmpty {
      let reader = try secondReader()
      for chunk in affected where !stop.isRequested { try lookCloser(chunk, reader) }
      affected.removeAll()
    }
    try resolveUnreceipted()
    for unplaced in unreceipted.takeUnplaced() { addMissing(unplaced) }
  }

  // MARK: - Chunks that differ

  private func lookCloser(_ affected: Affected, _ reader: TopicReader) throws(BrokerError) {
    let (chunk, run) = (affected.chunk, affected.chunk.index.run)
    let numbers = orders[run]?.numbers(partition: partition, chunk: chunk.index.chunk)
    var wanted = nameMissing(chunk, numbers)
    var altered: Int64 = 0
    if let orders = orders[run], chunk.present > 0 {
      altered = try compare(chunk, orders, numbers, reader, &wanted)
    } else if chunk.removed > 0 {
      // What is left of lines of somebody else cannot be told from others.
      found.runs[run].partitions[partition].unverifiable += chunk.present
    }
    let isAtLeast = affected.differs && altered == 0
    if isAtLeast {
      altered = 1
      violations.add(
        .acknowledgedAltered, source: place(chunk.first), output: nil,
        expected: "the records of offsets \(chunk.first) to \(chunk.last) with the SHA-256 \(receipt(chunk).digest)",
        found: "at least one of them is another", chunk: place(chunk))
    }
    found.runs[run].partitions[partition].altered += altered
    if chunk.missing + altered > 0 {
      found.add(
        ReceiptFindings.ChunkDifference(
          run: found.runs[run].run, partition: Int32(partition), chunk: receipt(chunk).number,
          offsets: chunk.first...chunk.last, missing: chunk.missing, altered: altered,
          isAtLeast: isAtLeast || orders[run] == nil && chunk.missing > 0 && chunk.present > 0,
          orders: wanted.sorted()))
    }
  }

  private func place(_ offset: Offset) -> String { AuditFindings.source(topic, Int32(partition), offset) }

  private func place(_ chunk: ReceiptWalk.Open) -> AuditFindings.ChunkPlace {
    AuditFindings.ChunkPlace(run: found.runs[chunk.index.run].run, chunk: receipt(chunk).number)
  }

  /// - Returns: the numbers of the orders that are missing, as far as they can be told.
  private func nameMissing(_ chunk: ReceiptWalk.Open, _ numbers: [Int64]?) -> [Int64] {
    var named: Int64 = 0
    let end = range(partition).upperBound
    for gap in chunk.gaps {
      for (step, offset) in gap.offsets.enumerated() {
        guard violations.count(.acknowledgedMissing) < Int64(AuditFindings.violationLimit) else { break }
        named += 1
        violations.add(
          .acknowledgedMissing, source: place(offset), output: nil,
          expected: expected(chunk, numbers?[Int(gap.position) + step]),
          found: offset >= end ? "nothing: the partition ends at \(end)" : "nothing at this offset", chunk: place(chunk)
        )
      }
    }
    violations.count(.acknowledgedMissing, more: chunk.missing - named)
    guard let numbers else { return [] }
    return chunk.gaps.flatMap { numbers[Int($0.position)...].prefix($0.offsets.count) }
  }

  /// What must be at an offset, in words.
  private func expected(_ chunk: ReceiptWalk.Open, _ number: Int64?) -> String {
    if let number { return OrderNumber.id(number) }
    let head = receipts[chunk.index.run].receipt.head
    if let orders = receipt(chunk).orders {
      return "an order from \(OrderNumber.id(orders.lowerBound)) to \(OrderNumber.id(orders.upperBound))"
    }
    if case .input(let name, _) = head.source { return "a record of \(name)" }
    return "a record"
  }

  /// Reads the records of a chunk again and compares each with the order that it must be.
  /// - Parameter wanted: gets the numbers of those that are another.
  /// - Returns: how many are another.
  private func compare(
    _ chunk: ReceiptWalk.Open, _ orders: ReceiptOrders, _ numbers: [Int64]?, _ reader: TopicReader,
    _ wanted: inout [Int64]
  ) throws(BrokerError) -> Int64 {
    var altered: Int64 = 0
    var others: [Int64] = []
    defer { wanted += others }
    var again = chunk.rewound()
    let span = max(chunk.first, range(partition).lowerBound)..<min(chunk.last.next, range(partition).upperBound)
    let low = range(partition).lowerBound
    _ = try reader.read([PartitionRange(partition: Int32(partition), offsets: span)]) {
      [self] record throws(BrokerError) in
      guard let position = again.pass(to: record.offset, low: low) else { return true }
      let number = numbers?[Int(position)]
      if let number, orders.isOrder(record, number) { return true }
      // Which one it must be cannot be told, but whether it may be one of them.
      if numbers == nil, let made = orders.number(of: record), receipt(chunk).orders?.contains(made) == true {
        return true
      }
      altered += 1
      if let number { others.append(number) }
      violations.add(
        .acknowledgedAltered, source: place(record.offset), output: nil,
        expected: number.map(orders.expected) ?? expected(chunk, nil),
        found: AuditFindings.text(key: record.key, value: record.value), chunk: place(chunk))
      return true
    }
    return altered
  }

  // MARK: - Records of no receipt

  private func resolveUnreceipted() throws(BrokerError) {
    guard let counts = try unreceipted.resolve(secondReader) else { return }
    found.unacknowledgedPresent += counts.unacknowledged
    found.unreceipted += counts.others
    let twice = unreceipted.takeTwice()
    for (run, count) in twice.counts { found.runs[run].partitions[partition].twice += count }
    for record in twice.first {
      let chunk = record.chunk.map { receipts[record.run].receipt.partitions[partition].chunks[$0].number }
      violations.add(
        .acknowledgedTwice, source: record.first.map(place),
        output: Coordinates(TopicPartition(topic: topic, partition: Int32(partition)), offset: record.offset),
        expected: "\(record.key ?? "the record") once", found: "again",
        chunk: AuditFindings.ChunkPlace(run: found.runs[record.run].run, chunk: chunk))
    }
    violations.count(.acknowledgedTwice, more: twice.counts.values.reduce(0, +) - Int64(twice.first.count))
  }

  /// What was acknowledged without an offset and is nowhere.
  private func addMissing(_ unplaced: UnreceiptedRecords.Missing) {
    if range(partition).lowerBound > 0 {
      found.runs[unplaced.run].partitions[partition].unverifiable += unplaced.count
      return
    }
    found.runs[unplaced.run].partitions[partition].missing += unplaced.count
    for _ in 0..<unplaced.count {
      violations.add(
        .acknowledgedMissing, source: nil, output: nil,
        expected: "\(unplaced.key ?? "a record"), acknowledged without an offset in partition \(partition)",
        found: "nothing at an offset of no receipt",
        chunk: AuditFindings.ChunkPlace(run: found.runs[unplaced.run].run, chunk: nil))
    }
  }
}
