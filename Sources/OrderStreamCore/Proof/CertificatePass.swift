/// Reads a topic once, partition by partition, for what a certificate says of it: the digests of its records and the
/// metrics over them. Reads without a group and changes nothing.
public final class CertificatePass {
  /// The first place where a partition is not what a certificate says.
  public struct Difference: Sendable, Equatable {
    public var partition: Int32
    /// From 0.
    public var chunk: Int
    /// Of the chunk in the partition, from 0, as the certificate has them: its last chunk may be shorter.
    public var records: Range<Int64>
    /// The first and the last record of the chunk that were found here; `nil` when there are none.
    public var offsets: ClosedRange<Offset>?
    /// How many of the records are missing at the end of the partition.
    public var missing: Int64
  }

  private struct Progress {
    var digests = RecordDigests()
    /// Of the chunk in hand.
    var offsets: ClosedRange<Offset>?
    var difference: Difference?
  }

  public let topic: String
  private let expected: Certificate?
  private var progress: [Progress] = []
  private var count: MetricsCount
  /// What ended the reading.
  private var failure: PipelineError?

  /// Records read so far, of all partitions.
  public var recordsRead: Int64 { count.records }

  /// - Parameter expected: A certificate whose records alone are read; `nil` to make one of all.
  public init(topic: String, expected: Certificate? = nil) {
    self.topic = topic
    self.expected = expected
    count = MetricsCount(topic: topic)
  }

  /// Reads the records.
  /// - Parameters:
  ///   - ranges: Of each partition, by number: all that it has.
  ///   - turned: called a few times a second, and after each chunk.
  /// - Returns: `false` when a request to stop came first.
  /// - Throws: `tooManyMinutes`, and what the broker throws.
  public func run(
    _ ranges: [Range<Offset>], broker: any Broker, stop: StopFlag, waits: @escaping (PipelineWait) -> Void,
    turned: (CertificatePass) -> Void
  ) throws -> Bool {
    progress = ranges.map { _ in Progress() }
    let reader = try TopicReader(topic: topic, broker: broker, stop: stop, waits: waits)
    defer { reader.close() }
    for step in steps(ranges) {
      let isDone = try reader.read(step, pause: { turned(self) }) { record in
        take(record, turned)
        return failure == nil
      }
      if let failure { throw failure }
      if !isDone { return false }
    }
    for number in progress.indices { close(number) }
    return true
  }

  /// What is read one after the other: first as many offsets as the certificate covers, which a copy without gaps has
  /// too; then, where records are missing still, the rest.
  private func steps(_ ranges: [Range<Offset>]) -> some Sequence<[PartitionRange]> {
    let firsts = ranges.enumerated().map { number, range in
      let count = expected.map { $0.partitions.indices.contains(number) ? $0.partitions[number].offsets.count : 0 }
      let end = count.map { min(range.upperBound, range.lowerBound.saturatingAdd(Int64($0))) } ?? range.upperBound
      return PartitionRange(partition: Int32(number), offsets: range.lowerBound..<end)
    }
    return sequence(state: 0) { [self] step in
      step += 1
      switch step {
      case 1: return firsts
      case 2:
        return zip(firsts, ranges).enumerated().compactMap { number, pair in
          guard isOpen(number) else { return nil }
          return PartitionRange(partition: Int32(number), offsets: pair.0.offsets.upperBound..<pair.1.upperBound)
        }
      default: return nil
      }
    }
  }

  /// Whether records of a partition are wanted still.
  private func isOpen(_ number: Int) -> Bool {
    guard let expected else { return true }
    return expected.partitions.indices.contains(number)
      && progress[number].digests.records < expected.partitions[number].records
  }

  private func take(_ record: RecordBatch.View, _ turned: (CertificatePass) -> Void) {
    let number = Int(record.partition)
    guard isOpen(number) else { return }
    progress[number].offsets = (progress[number].offsets?.lowerBound ?? record.offset)...record.offset
    let digest = progress[number].digests.add(key: record.key, value: record.value)
    failure = count.add(record)
    if digest != nil {
      compare(number)
      turned(self)
    }
  }

  /// Ends a partition.
  private func close(_ number: Int) {
    if progress[number].digests.finish() != nil { compare(number) }
    guard let expected, expected.partitions.indices.contains(number), progress[number].difference == nil else { return }
    let (found, wanted) = (progress[number].digests.records, expected.partitions[number].records)
    // A chunk that is whole here and was not there yet: the rest is missing altogether.
    if found < wanted { note(number, chunk: Int(found / RecordDigests.chunkRecords), offsets: nil) }
  }

  /// Compares the chunk that was completed.
  private func compare(_ number: Int) {
    let offsets = progress[number].offsets
    progress[number].offsets = nil
    guard let expected, expected.partitions.indices.contains(number), progress[number].difference == nil else { return }
    let chunk = progress[number].digests.digests.count - 1
    if expected.partitions[number].chunks[chunk] != progress[number].digests.digests[chunk] {
      note(number, chunk: chunk, offsets: offsets)
    }
  }

  private func note(_ number: Int, chunk: Int, offsets: ClosedRange<Offset>?) {
    guard let wanted = expected?.partitions[number].records else { return }
    let start = Int64(chunk) * RecordDigests.chunkRecords
    progress[number].difference = Difference(
      partition: Int32(number), chunk: chunk, records: start..<min(wanted, start + RecordDigests.chunkRecords),
      offsets: offsets, missing: max(0, wanted - progress[number].digests.records))
  }

  // MARK: - What was found

  /// Of each partition that differs, by number.
  public var differences: [Difference] {
    progress.indices.compactMap { number in
      // What is missing is known once all has been read.
      guard var difference = progress[number].difference, let expected else { return nil }
      difference.missing = max(0, expected.partitions[number].records - progress[number].digests.records)
      return difference
    }
  }

  /// The metrics over the records that were read.
  public var summary: MetricsSummary { count.summary }

  /// What a certificate says of the partitions that were read.
  public func partitions(_ ranges: [Range<Offset>]) -> [Certificate.Partition] {
    zip(progress, ranges).map {
      Certificate.Partition(offsets: $1, records: $0.digests.records, chunks: $0.digests.digests)
    }
  }
}
