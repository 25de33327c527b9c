/// Whether a record lies in the partition of its key, in a topic that may have grown.
///
/// A record from before the growth lies by the smaller number of partitions, and is right. How many there were when it was
/// written nobody tells; but a partition that already had a record as old as this one was there. So a record may lie by a
/// smaller number only when every partition from that number on began later, and a topic that never grew is checked
/// strictly.
struct KeyPlacement {
  enum Verdict: Equatable {
    case right
    /// It belongs into this partition.
    case wrong(Int32)
    /// It is right if the topic has grown since, and retention has removed what would tell.
    case unknown
  }

  /// When a partition began, by the timestamp of its first record in milliseconds since 1970.
  private enum Begin {
    case at(Int64)
    /// There is no record.
    case never
    /// Retention has removed the first ones.
    case removed
  }

  /// Offsets of a partition in which its first record is looked for.
  private static let lookLimit: Offset = 4096

  private let partitions: [Range<Offset>]
  /// Of each partition, once somebody had to ask.
  private var begins: [Begin]?

  /// - Parameter partitions: the offsets of each partition.
  init(_ partitions: [Range<Offset>]) { self.partitions = partitions }

  /// - Parameter reader: of the topic, to read the first record of each partition when a record lies elsewhere than today's
  ///   number of partitions says; at most once.
  mutating func verdict(
    of key: UnsafeRawBufferPointer, in partition: Int32, timestampMs: Int64,
    _ reader: () throws(BrokerError) -> TopicReader
  ) throws(BrokerError) -> Verdict {
    let hash = Partitioner.murmur2(key) & 0x7fff_ffff
    let count = Int32(partitions.count)
    if hash % count == partition { return .right }
    if begins == nil { begins = try readBegins(reader()) }
    guard let begins else { return .right }
    var isUnknown = false
    for fewer in stride(from: count - 1, to: partition, by: -1) {
      switch begins[Int(fewer)] {
      case .at(let begin) where begin <= timestampMs: return .wrong(hash % count)
      case .removed: isUnknown = true
      case .at, .never: break
      }
      if hash % fewer == partition { return isUnknown ? .unknown : .right }
    }
    return .wrong(hash % count)
  }

  /// Looks at the first offset of all partitions together, and of those where that is a gap, or has a record that lies wrong
  /// itself, at more and more.
  private func readBegins(_ reader: TopicReader) throws(BrokerError) -> [Begin] {
    defer { reader.close() }
    var begins = partitions.map { $0.lowerBound > 0 ? Begin.removed : .never }
    var isFound = begins.map { _ in false }
    var open = partitions.indices.filter { partitions[$0].lowerBound == 0 && !partitions[$0].isEmpty }
    var read: Offset = 0
    while !open.isEmpty && read < Self.lookLimit {
      let end = max(1, read * 16)
      let ranges = open.map {
        PartitionRange(partition: Int32($0), offsets: read..<max(read, min(end, partitions[$0].upperBound)))
      }
      let isRead = try reader.read(ranges) { record throws(BrokerError) in
        let number = Int(record.partition)
        if isFound[number] { return true }
        isFound[number] = mayLie(record)
        if case .never = begins[number] { begins[number] = .at(record.timestampMs) }
        if isFound[number] { begins[number] = .at(record.timestampMs) }
        return true
      }
      // A request to stop ends the audit, which judges nothing after it.
      guard isRead else { break }
      read = end
      open.removeAll { isFound[$0] || partitions[$0].upperBound <= read }
    }
    return begins
  }

  /// Whether any number of partitions puts a record where it lies: else it is no sign that the partition was there.
  private func mayLie(_ record: RecordBatch.View) -> Bool {
    guard let key = record.key else { return false }
    let hash = Partitioner.murmur2(key) & 0x7fff_ffff
    return (record.partition + 1...Int32(partitions.count)).contains { hash % $0 == record.partition }
  }
}
