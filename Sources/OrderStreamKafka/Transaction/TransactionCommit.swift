import OrderStreamCore
import OrderStreamThreads

/// The calls that commit a transaction, on a thread of their own, because each of them waits for brokers.
final class TransactionCommit: Sendable {
  enum Outcome: Sendable {
    case committed
    /// - Parameters:
    ///   - error: `nil` when the deadline has passed.
    ///   - mayBeCommitted: The brokers were told to commit, and what they did is not known.
    case failed(_ error: NativeError?, mayBeCommitted: Bool)
  }

  let offsets: [PartitionOffset]
  /// On the monotonic clock, nanoseconds.
  let started: Int64
  private let thread: BackgroundThread<Outcome>

  /// Starts at once.
  init(
    _ client: NativeClient, topic: String, _ offsets: [PartitionOffset], _ group: GroupMetadata, mark: CommitMark,
    deadline: Deadline, _ time: any TimeSource
  ) {
    self.offsets = offsets
    started = time.monotonicNanoseconds
    thread = BackgroundThread.endingByItself {
      // Without it a commit waits for the linger time of its own flush.
      do { try client.flush(deadline.remaining) } catch { return .failed(nil, mayBeCommitted: false) }
      var mayBeCommitted = false
      do throws(NativeError) {
        let list = PartitionList(topic: topic, offsets)
        list.setMetadata(mark.text)
        try client.repeating(until: deadline, time) { () throws(NativeError) in try client.sendOffsets(list, group) }
        mayBeCommitted = true
        try client.repeating(until: deadline, time) { () throws(NativeError) in try client.commitTransaction() }
        return .committed
      } catch {
        return .failed(error.canBeRepeated ? nil : error, mayBeCommitted: mayBeCommitted)
      }
    }
  }

  /// `nil` when it has not ended within `timeout`.
  func outcome(within timeout: Duration) -> Outcome? { thread.join(timeout) }
}

extension NativeClient {
  /// Repeats a call of a transaction while its error is one that repeating may heal.
  func repeating(
    until deadline: Deadline, _ time: any TimeSource, _ call: () throws(NativeError) -> Void
  ) throws(NativeError) {
    while true {
      do { return try call() } catch {
        guard error.canBeRepeated && !deadline.hasPassed else { throw error }
        time.sleep(.milliseconds(5))
      }
    }
  }
}

extension NativeError {
  fileprivate var canBeRepeated: Bool { isRetriable && !isFatal && !requiresAbort }
}
