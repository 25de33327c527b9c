import OrderStreamCore

/// The writing half of a producer.
final class ProducerWriter: @unchecked Sendable {
  // After the thread that runs `run` has started, nobody else touches the connection or the budget.
  private let connection: LogConnection
  private let topic: TopicRow
  private let queue: ProducerQueue
  private var budget = FlushBudget()

  init(_ connection: LogConnection, topic: TopicRow, queue: ProducerQueue) {
    self.connection = connection
    self.topic = topic
    self.queue = queue
  }

  /// Writes until the queue ends or a write fails, then closes the connection.
  func run() {
    while let chunks = queue.take(byteLimit: budget.bytes) {
      do throws(BrokerError) {
        Failpoint.reach("producer/before-write")
        try write(chunks)
        Failpoint.reach("producer/before-acknowledge")
        queue.acknowledge(chunks)
        Failpoint.reach("producer/after-acknowledge")
      } catch {
        queue.fail(chunks, error)
      }
    }
    connection.close()
    queue.endWriter()
  }

  private func write(_ chunks: [RecordChunk]) throws(BrokerError) {
    var start: Int64 = 0
    try connection.write("cannot append to \(topic.name)") { scope in
      start = MachineClock.nanoseconds
      try BatchAppender.append(chunks, topic: topic.name, id: topic.id, scope)
    }
    budget.learn(used: chunks.reduce(0) { $0 + $1.bytes.count }, nanoseconds: MachineClock.nanoseconds - start)
  }
}
