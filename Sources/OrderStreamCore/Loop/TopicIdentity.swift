/// Whether a topic is the one that a group's state speaks of, or another one that was made later under its name.
///
/// The broker's own id decides where there is one. Else committed offsets do, because brokers drop them with their topic;
/// and where those are gone (they expire too), the last record that the state covers: it must still be there, unless
/// retention has taken it. State of 0.1.0 names no record: then the topic must hold a record from before it was written.
struct TopicIdentity {
  enum Verdict: Equatable {
    case same
    case madeAnew
    /// The state reaches beyond the end of a partition that has kept the group's offsets.
    case beyondEnd
    /// It cannot be told, and why.
    case unknown(String)
  }

  let topic: String
  /// The broker's id of the topic as it is now.
  let id: String?
  let broker: any Broker
  let admin: any Admin
  let stop: StopFlag

  /// - Parameters:
  ///   - position: of the group's state in this partition.
  ///   - committed: the group's committed offset in it, if any.
  ///   - watermarks: of the partition now.
  func verdict(
    _ partition: Int32, _ position: StoredPosition, committed: Offset?, watermarks: Watermarks
  ) throws(BrokerError) -> Verdict {
    if position.origin == .earlierTopic { return .madeAnew }
    let mark = position.proof?.source
    if let known = mark?.id, let id, known != id { return .madeAnew }
    let isSame = committed != nil || position.origin == .thisTopic || mark?.id != nil && mark?.id == id
    if position.nextOffset > watermarks.high { return isSame ? .beyondEnd : .madeAnew }
    if isSame || position.nextOffset == 0 { return .same }
    if let record = mark?.record { return try holds(record, watermarks) }
    return try isOlder(partition, than: position, watermarks)
  }

  /// Whether the topic still holds the record of a mark.
  func holds(_ mark: RecordMark, _ watermarks: Watermarks) throws(BrokerError) -> Verdict {
    if mark.offset >= watermarks.high { return .madeAnew }
    if mark.offset < watermarks.low { return .same }
    let reader = try TopicReader(topic: topic, broker: broker, stop: stop, waits: { _ in })
    defer { reader.close() }
    var found: RecordMark?
    let range = PartitionRange(partition: mark.partition, offsets: mark.offset..<mark.offset.next)
    _ = try reader.read([range]) { record throws(BrokerError) in
      found = RecordMark(record)
      return true
    }
    guard let found else {
      return .unknown("the last record that its state covers, \(topic)[\(mark.partition)]@\(mark.offset), is not there")
    }
    return found == mark ? .same : .madeAnew
  }

  /// Whether the first record of the partition was there when the state was written.
  private func isOlder(
    _ partition: Int32, than position: StoredPosition, _ watermarks: Watermarks
  ) throws(BrokerError) -> Verdict {
    if position.nextOffset <= watermarks.low { return .same }
    guard let written = position.timestampMs else { return .unknown("its state does not say which one it covers") }
    let first = try admin.offsets(topic: topic, at: 0)
    let later = try admin.offsets(topic: topic, at: written + 1)
    guard first.indices.contains(Int(partition)), later.indices.contains(Int(partition)) else {
      return .unknown("its first record cannot be found")
    }
    return later[Int(partition)] > first[Int(partition)] ? .same : .madeAnew
  }
}
