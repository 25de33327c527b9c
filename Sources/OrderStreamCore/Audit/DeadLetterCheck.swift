/// Whether each rejected record of a topic has its one dead letter, as `DeadLetters` writes it: the record's key, value and
/// headers byte for byte, or the start of a value that the dead-letter topic did not take, with its size and digest.
///
/// Letters are read in windows, like inventory events, and marked in the bits of the records that they name, which no item
/// uses: a rejected record has none.
final class DeadLetterCheck {
  struct Settings: Sendable {
    var topic: String
    var letterTopic: String
    /// Whose letters are meant; `nil` for everybody's.
    var group: String?
  }

  let settings: Settings
  /// By partition; empty when there is no such topic.
  let letters: [Range<Offset>]
  private(set) var found = AuditFindings.DeadLetters()
  private var findings = AuditFindings()
  private let topicBytes: [UInt8]
  private let window = AuditWindow()
  private let decoder = OrderDecoder()
  /// By partition, the source of its first letter: tells what retention may have removed.
  private var firstSource: [Offset?]
  /// By index in the window, what is wrong with letters that differ: as many as a report can name.
  private var differences: [Int: (expected: String, found: String)] = [:]

  init(_ settings: Settings, letters: [Range<Offset>]) {
    self.settings = settings
    self.letters = letters
    topicBytes = Array(settings.topic.utf8)
    firstSource = letters.map { _ in nil }
  }

  /// Hands out the violations found since it was called last.
  func takeFindings() -> AuditFindings {
    defer { findings = AuditFindings() }
    return findings
  }

  /// Reads all letters and compares them with their records.
  /// - Parameters:
  ///   - scope: the records of the topic that are verified.
  ///   - seen: gets a mark for each rejected record that has a letter.
  /// - Returns: `false` when a stop was requested.
  func read(
    _ reader: TopicReader, _ scope: AuditScope, _ sourceReader: TopicReader, seen: inout SeenItems,
    stop: StopFlag, progress: () -> Void
  ) throws(BrokerError) -> Bool {
    let ranges = letters.enumerated().map { PartitionRange(partition: Int32($0), offsets: $1) }
    let isRead = try reader.read(ranges) { record throws(BrokerError) in
      take(record)
      if window.isFull && !stop.isRequested {
        try verifyWindow(scope, sourceReader, &seen)
        progress()
      }
      return true
    }
    guard isRead else { return false }
    try verifyWindow(scope, sourceReader, &seen)
    return !stop.isRequested
  }

  private func take(_ record: RecordBatch.View) {
    found.records += 1
    // The record's own headers may have any names; those of the letter stand behind them.
    let header = topicBytes.withUnsafeBytes { topic in
      LetterHeaders.last("source", of: record.headers).flatMap { SourceHeader($0, topic: topic, hasLine: false) }
    }
    window.append(record, source: header, keepsHeaders: true)
  }

  private func verifyWindow(
    _ scope: AuditScope, _ reader: TopicReader, _ seen: inout SeenItems
  ) throws(BrokerError) {
    let isRead = try window.readSources(scope, reader) { [self] record, events in
      // A valid order has no letter: those that name it stay unknown.
      guard let poison = decoder.decode(record.value) else { return }
      for index in events { compare(record, poison, index) }
    }
    guard isRead else { return }
    judge(&seen)
    differences.removeAll()
    window.removeAll()
  }

  private func compare(_ record: RecordBatch.View, _ poison: Poison, _ index: Int) {
    let event = window.events[index]
    let group = LetterHeaders.last("source-group", of: window.headers(event))
    if let wanted = settings.group, let group, !group.elementsEqual(wanted.utf8) {
      return window.setVerdict(.other, at: index)
    }
    let difference = difference(event, record, poison)
    window.setFound(itemCount: 1, verdict: difference == nil ? .matches : .differs, at: index)
    if let difference, differences.count < AuditFindings.violationLimit { differences[index] = difference }
  }

  /// What of a letter is not as it must be; `nil` when all is.
  private func difference(
    _ event: AuditWindow.Event, _ record: RecordBatch.View, _ poison: Poison
  ) -> (expected: String, found: String)? {
    if event.outputPartition != record.partition {
      return ("a letter in partition \(record.partition)", "one in partition \(event.outputPartition)")
    }
    let letter = LetterHeaders.Letter(
      key: window.key(event), value: window.value(event), headers: window.headers(event).block)
    let source = AuditFindings.source(settings.topic, record.partition, record.offset)
    guard let what = LetterHeaders.difference(letter, from: record, poison, source: source, group: settings.group)
    else {
      return nil
    }
    return (what, AuditFindings.text(key: letter.key, value: letter.value))
  }

  /// Decides about the letters of the window, in their order.
  private func judge(_ seen: inout SeenItems) {
    for (index, event) in window.events.enumerated() {
      let place = Coordinates(
        TopicPartition(topic: settings.letterTopic, partition: event.outputPartition), offset: event.outputOffset)
      let text = { [window] in AuditFindings.text(key: window.key(event), value: window.value(event)) }
      guard let header = event.source else {
        findings.add(
          .deadLettersPhantom, source: nil, output: place, expected: "a header that names a record", found: text())
        continue
      }
      var source: String { AuditFindings.source(settings.topic, header.partition, header.offset) }
      switch event.verdict {
      case .other: found.other += 1
      case .unverifiable: found.unverifiable += 1
      case .outside:
        found.outside += 1
        noteFirst(header, event)
      case .unknown:
        findings.add(
          .deadLettersPhantom, source: source, output: place, expected: "no letter: there is no such rejected record",
          found: text())
      case .differs, .matches:
        if event.verdict == .differs {
          let difference = differences[index]
          findings.add(
            .deadLettersAltered, source: source, output: place, expected: difference?.expected ?? "",
            found: difference?.found ?? "")
        }
        noteFirst(header, event)
        if seen.mark(partition: header.partition, offset: header.offset, line: 0, itemCount: 1) {
          findings.add(.deadLettersDuplicated, source: source, output: place, expected: "once", found: "again")
        }
      }
    }
  }

  private func noteFirst(_ header: SourceHeader, _ event: AuditWindow.Event) {
    guard header.partition == event.outputPartition, firstSource[Int(event.outputPartition)] == nil else { return }
    firstSource[Int(event.outputPartition)] = header.offset
  }

  /// Notes a rejected record that no letter has named.
  func addMissing(_ record: RecordBatch.View, _ poison: Poison, isPending: Bool) {
    if isPending {
      found.pending += 1
    } else if mayHaveBeenRemoved(record) {
      found.unverifiable += 1
    } else {
      findings.add(
        .deadLettersLost, source: AuditFindings.source(settings.topic, record.partition, record.offset), output: nil,
        expected: "a dead letter, as it is rejected: \(poison.message)", found: "nothing")
    }
  }

  /// Retention has removed the start of the partition of letters, and this record lies before the first that is left.
  private func mayHaveBeenRemoved(_ record: RecordBatch.View) -> Bool {
    let number = Int(record.partition)
    guard letters.indices.contains(number), letters[number].lowerBound > 0 else { return false }
    return firstSource[number].map { record.offset <= $0 } ?? true
  }
}

/// The headers of a dead letter: the record's own, then those that say what is wrong with it.
private enum LetterHeaders {
  struct Letter {
    var key: UnsafeRawBufferPointer?
    var value: UnsafeRawBufferPointer?
    var headers: UnsafeRawBufferPointer
  }

  /// The value of the last header of that name; `nil` when there is none.
  static func last(_ name: StaticString, of headers: Headers) -> UnsafeRawBufferPointer? {
    let wanted = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    var found: UnsafeRawBufferPointer?
    for header in headers where header.name.holdsSameBytes(as: wanted) { found = header.value }
    return found
  }

  /// What a letter must have and has not, in words; `nil` when it is as it must be.
  static func difference(
    _ letter: Letter, from record: RecordBatch.View, _ poison: Poison, source: String, group: String?
  ) -> String? {
    let reason = [
      ("error-code", poison.code), ("error-message", nil), ("source", source), ("source-group", group),
    ]
    let own = record.headers.block
    guard letter.headers.count >= own.count, letter.headers.prefix(own.count).elementsEqual(own) else {
      return cutDifference(letter, record, letter.headers, reason, isShort: true) == nil
        ? nil : "the record's own headers"
    }
    let added = UnsafeRawBufferPointer(rebasing: letter.headers[own.count...])
    guard let difference = cutDifference(letter, record, added, reason, isShort: false) else { return nil }
    return cutDifference(letter, record, letter.headers, reason, isShort: true) == nil ? nil : difference
  }

  /// As `difference`, for one form of a letter.
  /// - Parameters:
  ///   - added: the headers that say what is wrong, and what was cut.
  ///   - isShort: the form of a record whose key or headers are too large: the start of its key, and none of its headers.
  private static func cutDifference(
    _ letter: Letter, _ record: RecordBatch.View, _ added: UnsafeRawBufferPointer, _ reason: [(String, String?)],
    isShort: Bool
  ) -> String? {
    var added = Array(Headers(block: added))[...]
    for (name, text) in reason {
      guard let header = added.popFirst(), header.name.elementsEqual(name.utf8), let value = header.value,
        text.map({ value.elementsEqual($0.utf8) }) ?? !value.isEmpty
      else { return text.map { "the header \(name) \($0)" } ?? "a header \(name)" }
    }
    if added.isEmpty && !isShort {
      if !same(letter.key, record.key) { return "the record's key" }
      return same(letter.value, record.value) ? nil : "the record's value"
    }
    var facts: [(String, String)] = []
    if let value = record.value {
      facts = [("original-size", "\(value.count)"), ("original-sha256", Digest(of: value).description)]
    }
    if isShort, let key = record.key { facts.append(("original-key-size", "\(key.count)")) }
    for (name, text) in facts {
      guard let header = added.popFirst(), header.name.elementsEqual(name.utf8),
        header.value?.elementsEqual(text.utf8) == true
      else { return "the header \(name) \(text)" }
    }
    if !added.isEmpty { return "no more headers" }
    func start(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(rebasing: bytes.prefix(DeadLetters.keptBytes))
    }
    if !same(letter.key, isShort ? record.key.map(start) : record.key) { return "the record's key" }
    return same(letter.value, record.value.map(start)) ? nil : "the start of the record's value"
  }

  private static func same(_ left: UnsafeRawBufferPointer?, _ right: UnsafeRawBufferPointer?) -> Bool {
    guard let left, let right else { return left == nil && right == nil }
    return left.holdsSameBytes(as: right)
  }
}
