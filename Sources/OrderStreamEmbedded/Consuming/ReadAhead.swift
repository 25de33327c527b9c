import OrderStreamCore
import OrderStreamThreads

/// Reads the next batch of a consumer on another thread while its caller works on the last one, so that a long read and
/// the work on it take two cores. Used on the consumer's thread; what is being filled belongs to the other thread until
/// `take` or `cancel` has waited for it.
final class ReadAhead {
  private let connection: LogConnection
  private let topic: TopicRow
  private let batch: RecordBatch
  /// Batches that were read ahead and handed over.
  private(set) var taken = 0
  /// Ends with the positions after the records, or with `nil` for an error.
  private var task: BackgroundThread<[ReadPosition]?>?

  /// - Parameters:
  ///   - connection: Its own.
  ///   - byteLimit: That of the batches that will be taken.
  init(_ connection: LogConnection, topic: TopicRow, byteLimit: Int) {
    self.connection = connection
    self.topic = topic
    batch = RecordBatch(byteLimit: byteLimit)
  }

  /// Begins to read on from `positions`. Nothing else may have been started and not taken.
  /// - Parameter rows: of the topic's partitions, as the consumer knows them: it is read up to their ends.
  func start(_ positions: [ReadPosition], _ rows: [PartitionRow], recordLimit: Int, firstTurn: Int) {
    precondition(task == nil, "one read at a time")
    batch.removeAll()
    batch.recordLimit = recordLimit
    // The other thread has it until `finished` has seen its result.
    nonisolated(unsafe) let reader = self
    task = BackgroundThread.endingByItself { reader.read(positions, rows, firstTurn: firstTurn) }
  }

  /// Exchanges the contents of `batch` with what was read; `nil` when nothing was, or not for a batch of these limits.
  /// An error is not told: the same read on the consumer's thread meets it again.
  func take(into batch: RecordBatch) -> [ReadPosition]? {
    guard let positions = finished(), self.batch.count <= batch.recordLimit, self.batch.byteLimit == batch.byteLimit
    else { return nil }
    batch.exchangeContents(with: self.batch)
    taken += 1
    return positions
  }

  /// Drops what was read.
  func cancel() { _ = finished() }

  func close() {
    cancel()
    connection.closeWithoutLock()
  }

  private func finished() -> [ReadPosition]? {
    guard let task else { return nil }
    self.task = nil
    return task.join()
  }

  private func read(_ positions: [ReadPosition], _ rows: [PartitionRow], firstTurn: Int) -> [ReadPosition]? {
    var positions = positions
    do throws(BrokerError) {
      try connection.read("cannot read \(topic.name)") { database in
        try BatchReader(topic: topic.id, name: topic.name)
          .fill(batch, database, &positions, rows, firstTurn: firstTurn)
      }
      return positions
    } catch {
      return nil
    }
  }
}
