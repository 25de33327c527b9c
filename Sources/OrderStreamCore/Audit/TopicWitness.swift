/// Reads one topic all the time, as a committed and, where a broker has that view, as an uncommitted reader, each from
/// positions of its own; keeps what they saw in a spool, and compares it with what new readers see in the end.
///
/// A consumer is assigned once. When the topic grows, or a consumer fails, another one goes on where it was: what it reads
/// again is looked at again, and only other content is a finding.
final class TopicWitness {
  /// How often it is looked whether the topic is there, and whether it has more partitions.
  private static let searchInterval = Duration.milliseconds(200)
  private static let growthInterval = Duration.seconds(5)
  /// Who makes a topic mostly does so at once.
  private static let absenceNoteAfter = Duration.seconds(1)
  /// Before a failed consumer has a successor.
  private static let retryInterval = Duration.milliseconds(200)

  private final class Reader {
    let isolation: Isolation
    /// `nil`: it is to be made.
    var consumer: (any Consumer)?
    var notBefore: Int64 = .min
    /// By partition: the offset behind everything that it has passed.
    var positions: [Offset] = []
    /// Partitions whose end it has not reached yet.
    var behind: Set<Int> = []

    init(_ isolation: Isolation) { self.isolation = isolation }

    var mark: Sight.Marks { isolation == .committed ? .committed : .uncommitted }
    var checkMark: Sight.Marks { isolation == .committed ? .checkedCommitted : .checkedUncommitted }
  }

  let topic: String
  private(set) var findings: WitnessFindings.TopicFindings
  private let broker: any Broker
  private let admin: any Admin
  private let spool: WitnessSpool
  /// Which of the topics of a spool it is, and how many there are.
  private let place: (index: Int, count: Int)
  private let time: any TimeSource
  private let stop: StopFlag
  private let note: (String) -> Void
  private let readers: [Reader]
  private(set) var isThere = false
  private var id: String?
  /// By partition: where it began, and where it ended, when it was first seen.
  private var starts: [Offset] = []
  private(set) var firstEnds: [Offset] = []
  private var nextLook: Int64 = .min
  /// How long it has been missing, and whether that was said.
  private var absence = Stopwatch()
  private var isAbsenceTold = false

  init(
    _ topic: String, place: (index: Int, count: Int), broker: any Broker, admin: any Admin, spool: WitnessSpool,
    time: any TimeSource, stop: StopFlag, note: @escaping (String) -> Void
  ) {
    (self.topic, self.place, self.broker, self.admin, self.spool) = (topic, place, broker, admin, spool)
    (self.time, self.stop, self.note) = (time, stop, note)
    // The committed one last: what it sees, the other one could have seen.
    readers = (broker.hasUncommittedRecords ? [.uncommitted, .committed] : [.committed]).map(Reader.init)
    findings = WitnessFindings.TopicFindings(topic: topic, hasUncommitted: broker.hasUncommittedRecords)
  }

  var readerCount: Int { readers.count }

  /// Whether every reader has reached the end of every partition, as far as the topic is there.
  var hasReachedEnds: Bool { readers.allSatisfy(\.behind.isEmpty) }

  func close() {
    for reader in readers {
      reader.consumer?.close()
      reader.consumer = nil
    }
  }

  // MARK: - The topic

  /// Looks for a topic that is not there, and for partitions that one has got, when that is due.
  /// - Parameter isNew: Whether a topic that is found now has come since the watch began.
  func look(isNew: Bool) throws(BrokerError) {
    let now = time.monotonicNanoseconds
    guard now >= nextLook else { return }
    nextLook = now + (isThere ? Self.growthInterval : Self.searchInterval).nanoseconds
    do throws(BrokerError) {
      guard let found = try admin.topic(topic) else {
        if isThere { leave() }
        return tellAbsence()
      }
      let marks = try admin.watermarks(topic: topic)
      if isThere { grow(marks) } else { begin(marks, found.id, isNew: isNew || findings.isKnown) }
    } catch  where error.code == .unknownTopic {
      if isThere { leave() }
    } catch  where error.passesByItself {
      // A broker that does not answer is the readers' to tell of.
    }
  }

  private func tellAbsence() {
    guard !isAbsenceTold, absence.hasPassed(Self.absenceNoteAfter, at: time.monotonicNanoseconds) else { return }
    isAbsenceTold = true
    note("waiting for the topic \(topic), which is not on \(broker.name)")
  }

  private func begin(_ marks: [Watermarks], _ id: String?, isNew: Bool) {
    (isThere, isAbsenceTold) = (true, false)
    absence.reset()
    let isAnother =
      findings.isKnown
      && (self.id != id || id == nil && zip(readers[0].positions, marks).contains { $0 > $1.high })
    findings.isKnown = true
    self.id = id
    if isAnother {
      findings.madeAnew += 1
      note("the topic \(topic) was made anew; it is read from its start")
    }
    if isAnother || starts.isEmpty {
      (starts, firstEnds) = ([], [])
      for reader in readers { reader.positions = [] }
    }
    add(marks, isNew: isNew)
    for reader in readers { reader.notBefore = .min }
    nextLook = time.monotonicNanoseconds + Self.growthInterval.nanoseconds
  }

  private func grow(_ marks: [Watermarks]) {
    if marks.count > starts.count { add(marks, isNew: true) }
  }

  /// Takes up the partitions behind those that are known.
  private func add(_ marks: [Watermarks], isNew: Bool) {
    for mark in marks.dropFirst(starts.count) {
      starts.append(mark.low)
      firstEnds.append(isNew ? mark.low : mark.high)
    }
    for reader in readers {
      reader.positions += marks.dropFirst(reader.positions.count).map(\.low)
      reader.behind = Set(reader.positions.indices)
      reader.consumer?.close()
      reader.consumer = nil
    }
  }

  /// The topic is gone: it is looked for again.
  private func leave() {
    close()
    isThere = false
    nextLook = .min
    for reader in readers { reader.behind = [] }
  }

  // MARK: - Watching

  /// Hands what a reader saw for the first time, with the wall clock when it came.
  typealias Visit = (_ record: RecordBatch.View, _ at: Int64) throws(BrokerError) -> Void

  /// Lets one reader poll once; returns whether records came.
  /// - Parameters:
  ///   - batch: room for them.
  ///   - visit: called for each record that the committed reader sees for the first time.
  func poll(
    reader index: Int, into batch: RecordBatch, timeout: Duration, _ visit: Visit
  ) throws(BrokerError) -> Bool {
    guard isThere else { return false }
    let reader = readers[index]
    do throws(BrokerError) {
      guard let consumer = try consumer(of: reader) else { return false }
      _ = try consumer.poll(into: batch, timeout: timeout)
    } catch {
      try recover(reader, error)
      return false
    }
    let now = time.wallMilliseconds
    for index in 0..<batch.count { try take(batch[index], reader, at: now, visit) }
    for end in batch.ends where reader.positions.indices.contains(Int(end.partition)) {
      reader.behind.remove(Int(end.partition))
      reader.positions[Int(end.partition)] = max(reader.positions[Int(end.partition)], end.offset)
    }
    return !batch.isEmpty
  }

  private func consumer(of reader: Reader) throws(BrokerError) -> (any Consumer)? {
    if let consumer = reader.consumer { return consumer }
    guard time.monotonicNanoseconds >= reader.notBefore else { return nil }
    var options = ConsumerOptions(topic: topic, membership: .none)
    options.isolation = reader.isolation
    options.dropsRepeats = false
    let consumer = try broker.consumer(options)
    reader.consumer = consumer
    try consumer.assign(
      reader.positions.enumerated().map { PartitionOffset(partition: Int32($0), offset: $1) })
    return consumer
  }

  private func recover(_ reader: Reader, _ error: BrokerError) throws(BrokerError) {
    reader.consumer?.close()
    reader.consumer = nil
    reader.notBefore = time.monotonicNanoseconds + Self.retryInterval.nanoseconds
    if stop.isRequested { return }
    switch error.code {
    case .unknownTopic, .unknownPartition: leave()
    case .offsetOutOfRange: try moveIntoRange(reader)
    case _ where error.passesByItself || error.code == .busy: break
    default: throw error
    }
  }

  /// The log does not reach to where a reader is: retention has passed it, or the log has lost its end, or is another one.
  private func moveIntoRange(_ reader: Reader) throws(BrokerError) {
    do throws(BrokerError) {
      guard let found = try admin.topic(topic), found.id == id else { return leave() }
      let marks = try admin.watermarks(topic: topic)
      for (number, mark) in marks.enumerated() where reader.positions.indices.contains(number) {
        let position = reader.positions[number]
        if position > mark.high {
          note(
            "\(topic)[\(number)] ended at \(position), and ends at \(mark.high) now; it is read again from its start")
        }
        if position < mark.low || position > mark.high { reader.positions[number] = mark.low }
      }
    } catch  where error.code == .unknownTopic {
      leave()
    } catch  where error.passesByItself {
      // The next poll meets it again.
    }
  }

  private func take(
    _ record: RecordBatch.View, _ reader: Reader, at now: Int64, _ visit: Visit
  ) throws(BrokerError) {
    let number = Int(record.partition)
    guard reader.positions.indices.contains(number) else { return }
    if record.offset < reader.positions[number] {
      findings.add(.wentBack, partition: record.partition, offset: record.offset, reader: reader.isolation) {
        "it was at offset \(reader.positions[number]) already"
      }
    } else {
      reader.positions[number] = record.offset.next
    }
    var sight = try spool.sight(stream(record.partition), record.offset)
    let digest = Sight.digest(of: record)
    if sight.marks.isDisjoint(with: .watched) {
      sight.digest = digest
      sight.timestampMs = record.timestampMs
    } else if sight.digest != digest {
      addChange(&sight, record, reader.isolation)
    }
    let isNew = !sight.marks.contains(reader.mark)
    sight.marks.insert(reader.mark)
    try spool.set(sight, stream(record.partition), record.offset)
    guard isNew else { return }
    if reader.isolation == .uncommitted {
      findings.uncommitted? += 1
    } else {
      findings.committed += 1
      try visit(record, now)
    }
  }

  private func addChange(_ sight: inout Sight, _ record: RecordBatch.View, _ isolation: Isolation) {
    guard !sight.marks.contains(.told) else { return }
    let before = sight.timestampMs
    findings.add(.changed, partition: record.partition, offset: record.offset, reader: isolation) {
      "the record that was seen first is of \(Self.text(before)), this one of \(Self.text(record.timestampMs))"
    }
    sight.marks.insert(.told)
  }

  private static func text(_ milliseconds: Int64) -> String {
    milliseconds < 0 ? "no time" : CivilTime.text(ofMilliseconds: milliseconds)
  }

  private func stream(_ partition: Int32) -> Int { Int(partition) * place.count + place.index }

  /// The timestamp of a record that was seen.
  /// - Returns: `.unknown` when the committed reader has not come so far.
  func timestamp(_ partition: Int32, _ offset: Offset) throws(BrokerError) -> SeenTimestamp {
    guard let positions = readers.last?.positions, positions.indices.contains(Int(partition)) else { return .unknown }
    guard offset < positions[Int(partition)] else { return .unknown }
    let sight = try spool.sight(stream(partition), offset)
    return sight.marks.isDisjoint(with: .watched) ? .missing : .seen(sight.timestampMs)
  }

  enum SeenTimestamp { case seen(Int64), missing, unknown }

  // MARK: - The comparison

  /// Whether the log reaches as far as was seen.
  func isReached(by marks: [Watermarks]) -> Bool {
    readers.allSatisfy { reader in
      reader.positions.enumerated().allSatisfy { marks.indices.contains($0) && $1 <= marks[$0].high }
    }
  }

  /// Offsets that a comparison reads, of all readers together.
  func checkedOffsets(_ ranges: [Range<Offset>]) -> Int64 {
    Int64(readers.count) * self.ranges(ranges).reduce(0) { $0 + Int64($1.offsets.count) }
  }

  private func ranges(_ ranges: [Range<Offset>]) -> [PartitionRange] {
    zip(starts, ranges).enumerated().map { number, range in
      let start = min(max(range.0, range.1.lowerBound), range.1.upperBound)
      return PartitionRange(partition: Int32(number), offsets: start..<range.1.upperBound)
    }
  }

  /// New readers read what was watched.
  /// - Parameters:
  ///   - ranges: what each partition has now.
  ///   - visited: called for each record.
  /// - Returns: `false` when a stop was requested before the end.
  func check(
    _ ranges: [Range<Offset>], broker: any Broker, stop: StopFlag, waits: @escaping (PipelineWait) -> Void,
    visited: () -> Void
  ) throws(BrokerError) -> Bool {
    // The committed one first: it waits for what is open, and the other one then sees the same log.
    for reader in readers.reversed() {
      let new = try TopicReader(topic: topic, broker: broker, isolation: reader.isolation, stop: stop, waits: waits)
      defer { new.close() }
      let isWhole = try new.read(self.ranges(ranges)) { record throws(BrokerError) in
        visited()
        try compare(record, reader)
        return true
      }
      guard isWhole else { return false }
    }
    return true
  }

  private func compare(_ record: RecordBatch.View, _ reader: Reader) throws(BrokerError) {
    let stream = stream(record.partition)
    var sight = try spool.sight(stream, record.offset)
    let before = sight.marks
    let isSkipped = !sight.marks.contains(reader.mark) && record.offset < reader.positions[Int(record.partition)]
    if !sight.marks.isDisjoint(with: .watched) {
      sight.marks.insert(reader.checkMark)
      if sight.digest != Sight.digest(of: record) { addChange(&sight, record, reader.isolation) }
    }
    if isSkipped, !sight.marks.contains(.told) {
      findings.add(.skipped, partition: record.partition, offset: record.offset, reader: reader.isolation) {
        "the reader passed it on to offset \(reader.positions[Int(record.partition)])"
      }
      sight.marks.insert(.told)
    }
    if sight.marks != before { try spool.set(sight, stream, record.offset) }
  }

  /// Judges what was seen at one offset, after `check`.
  /// - Parameter range: what the partition has now; `nil` where there is none.
  func judge(_ partition: Int32, _ offset: Offset, _ sight: Sight, _ range: Range<Offset>?) {
    if sight.marks.contains(.told) { return }
    if let range, offset < range.lowerBound {
      findings.unverifiable += 1
      return
    }
    let reader: Isolation = sight.marks.contains(.committed) ? .committed : .uncommitted
    if reader == .committed, sight.marks.isDisjoint(with: .checkedCommitted) {
      if sight.marks.contains(.checkedUncommitted) {
        findings.add(.abortedSeen, partition: partition, offset: offset, reader: reader) {
          "a new committed reader does not see it, and an uncommitted one does"
        }
        return
      }
    } else if !sight.marks.isDisjoint(with: .checked) {
      return
    }
    findings.add(.vanished, partition: partition, offset: offset, reader: reader) {
      guard let range else { return "there is no such partition any more" }
      return offset >= range.upperBound ? "the partition ends at \(range.upperBound)" : "no reader sees it any more"
    }
  }
}
