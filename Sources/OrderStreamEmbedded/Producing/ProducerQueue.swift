import Foundation
import OrderStreamCore

/// The bounded queue between the thread that sends and the thread that writes: a chunk being filled for each partition,
/// full ones waiting behind each other, and empty ones to use again.
final class ProducerQueue: @unchecked Sendable {
  // All mutable state is touched only while `monitor` is locked; a chunk is used only by the side that took it out.
  private let monitor = Monitor()
  private let limits: ProducerLimits
  private let lingerNanoseconds: Int64
  private let time: any TimeSource

  // Those without a run-time check are touched for every record (docs/performance.md).
  /// By partition; `nil` where nothing waits.
  @exclusivity(unchecked) private var open: [RecordChunk?]
  /// Partitions with an open chunk.
  private var openPartitions: [Int32] = []
  private var ready: [RecordChunk] = []
  private var spare = ChunkPool()
  @exclusivity(unchecked) private var openRecords = 0
  private var readyBytes = 0
  /// Neither acknowledged nor failed, those that the writer has in hand too.
  @exclusivity(unchecked) private var queuedRecords = 0
  @exclusivity(unchecked) private var queuedBytes = 0
  /// When the oldest record that the writer has not taken came in, on the monotonic clock.
  private var oldest: Int64 = 0
  private var flushRequests = 0
  private var isClosing = false
  private var writerHasEnded = false
  /// Why the producer can take no more records.
  private var fatal: BrokerError?
  /// Why records failed since the last flush.
  private var firstFailure: BrokerError?
  private var counts: DeliveryCounts
  /// Whether a record counts as sent when it comes in, and never as acknowledged.
  private let isUnanswered: Bool
  /// Whether `takeReports` tells of every record.
  private let tellsOfAll: Bool
  private var reports = RecordReports()
  private let observer: (any DeliveryObserver)?
  /// Whether chunks keep the sequences of their records.
  private let keepsSequences: Bool
  private let latency: AcknowledgementLatency?
  private let isScheduled: Bool
  /// Records that share a look at the clock.
  private let stride: Int
  /// When the record in hand was sent, or due, on the monotonic clock; 0 where nobody measures it.
  @exclusivity(unchecked) private var sent: Int64 = 0
  /// Records that `sent` still holds for.
  @exclusivity(unchecked) private var sendsLeft = 0

  init(
    partitionCount: Int32, limits: ProducerLimits, acks: Acks = .all, tellsOfAll: Bool,
    latency: AcknowledgementLatency?, observer: (any DeliveryObserver)? = nil, _ time: any TimeSource
  ) {
    self.latency = latency
    self.observer = observer
    keepsSequences = tellsOfAll || observer != nil
    switch latency?.origin {
    case .sending(let stride): (isScheduled, self.stride) = (false, stride)
    case .schedule: (isScheduled, stride) = (true, 1)
    case nil: (isScheduled, stride) = (false, .max)
    }
    self.limits = limits
    self.time = time
    self.tellsOfAll = tellsOfAll
    isUnanswered = acks == .none
    lingerNanoseconds = limits.linger.nanoseconds
    open = Array(repeating: nil, count: Int(partitionCount))
    counts = DeliveryCounts(partitionCount: partitionCount)
  }

  var deliveries: DeliveryCounts { monitor.locked { counts } }

  func takeReports() -> RecordReports {
    guard tellsOfAll else { return RecordReports() }
    return monitor.locked {
      defer { reports = RecordReports() }
      return reports
    }
  }

  /// Copies a record in; blocks while the queue is full. The sender's thread.
  func add(_ record: OutgoingRecord, byteCount: Int, sequence: Int64) throws(BrokerError) {
    monitor.lock()
    defer { monitor.unlock() }
    if sendsLeft == 0 { lookAtClock(sequence) }
    sendsLeft -= 1
    while queuedRecords >= limits.queuedRecords || queuedBytes >= limits.queuedBytes, fatal == nil, !isClosing {
      monitor.waitForProgress()
      // What is sent next is sent later than this one.
      sendsLeft = 0
    }
    if let fatal { throw fatal }
    precondition(!isClosing, "a producer is not used after close")
    if openRecords == 0 && ready.isEmpty {
      oldest = time.monotonicNanoseconds
      monitor.signalWork()
    }
    let partition = Int(record.partition)
    let chunk = chunk(partition, for: byteCount)
    chunk.append(record, byteCount: byteCount)
    if sent != 0 { chunk.sent.append(sent) }
    if isUnanswered { counts.unanswered += 1 }
    if keepsSequences { chunk.sequences.append(sequence) }
    openRecords += 1
    queuedRecords += 1
    queuedBytes += byteCount
  }

  /// Waits until nothing is queued, at most `timeout`. The sender's thread.
  func flush(within timeout: Duration) throws(BrokerError) {
    let deadline = Deadline(timeout, time)
    monitor.lock()
    defer { monitor.unlock() }
    flushRequests += 1
    monitor.signalWork()
    while queuedRecords > 0 && !deadline.hasPassed { monitor.waitForProgress(atMost: deadline.remaining) }
    flushRequests -= 1
    if let failure = firstFailure {
      firstFailure = nil
      throw failure
    }
  }

  /// Stops the writer after what it has in hand; the rest has failed. Returns when the writer has ended.
  func close() {
    monitor.lock()
    defer { monitor.unlock() }
    isClosing = true
    monitor.signalWork()
    while !writerHasEnded { monitor.waitForProgress() }
    giveUpQueued()
  }

  // The writer's thread.

  /// Waits for something to write, at most `byteLimit` bytes unless one chunk alone is larger. `nil`: the end.
  func take(byteLimit: Int) -> [RecordChunk]? {
    monitor.lock()
    defer { monitor.unlock() }
    while true {
      if isClosing || fatal != nil { return nil }
      if openRecords == 0 && ready.isEmpty {
        monitor.waitForWork()
        continue
      }
      let rest = oldest + lingerNanoseconds - time.monotonicNanoseconds
      let isDue = flushRequests > 0 || rest <= 0
      if isDue || readyBytes >= limits.flushBytes { return takeQueued(byteLimit, withOpen: isDue) }
      monitor.waitForWork(atMost: .nanoseconds(rest))
    }
  }

  /// These chunks are durable, from their bases on.
  func acknowledge(_ chunks: [RecordChunk]) {
    if let observer { tell(observer, of: chunks) }
    monitor.locked {
      for chunk in chunks {
        if tellsOfAll { reports.acknowledged += chunk.sequences }
        if isUnanswered { continue }
        counts.acknowledged += Int64(chunk.count)
        counts.acknowledgedByPartition[Int(chunk.partition)] += Int64(chunk.count)
      }
      recycle(chunks)
    }
  }

  /// These chunks and everything behind them have failed; the producer takes no more.
  func fail(_ chunks: [RecordChunk], _ error: BrokerError) {
    monitor.locked {
      fatal = error
      firstFailure = firstFailure ?? error
      // Without room nothing was committed; another error may have come behind the commit.
      let mayBeOnLog = error.code == .io
      if mayBeOnLog { counts.uncertain += chunks.reduce(0) { $0 + Int64($1.count) } }
      noteFailed(chunks, mayBeOnLog: mayBeOnLog)
      recycle(chunks)
      giveUpQueued()
    }
  }

  private func tell(_ observer: any DeliveryObserver, of chunks: [RecordChunk]) {
    for chunk in chunks {
      observer.together {
        chunk.forEachRecord { index, key, value in
          observer.acknowledged(
            AcknowledgedRecord(
              sequence: chunk.sequences[index], partition: chunk.partition, offset: chunk.base + Int64(index), key: key,
              value: value))
        }
      }
    }
  }

  func endWriter() {
    monitor.locked {
      writerHasEnded = true
      monitor.signalProgress()
    }
  }

  // Only while locked.

  /// When the record of this sequence counts as sent, and for how many more that holds.
  private func lookAtClock(_ sequence: Int64) {
    sendsLeft = stride
    if isScheduled {
      sent = latency?.due(sequence) ?? 0
    } else if latency != nil {
      sent = time.monotonicNanoseconds
    }
  }

  /// The open chunk of a partition; one without room for so many bytes more moves to the ready ones.
  private func chunk(_ partition: Int, for byteCount: Int) -> RecordChunk {
    if let chunk = open[partition] {
      if chunk.takes(byteCount) { return chunk }
      makeReady(chunk)
      if readyBytes >= limits.flushBytes { monitor.signalWork() }
    } else {
      openPartitions.append(Int32(partition))
    }
    let chunk = spare.take(Int32(partition))
    open[partition] = chunk
    return chunk
  }

  private func takeQueued(_ byteLimit: Int, withOpen: Bool) -> [RecordChunk] {
    if withOpen { makeAllReady() }
    var taken = 0
    var bytes = 0
    while taken < ready.count && (taken == 0 || bytes + ready[taken].bytes.count <= byteLimit) {
      bytes += ready[taken].bytes.count
      taken += 1
    }
    let chunks = Array(ready[..<taken])
    ready.removeFirst(taken)
    readyBytes -= bytes
    if ready.isEmpty && openRecords > 0 { oldest = time.monotonicNanoseconds }
    return chunks
  }

  private func makeReady(_ chunk: RecordChunk) {
    openRecords -= Int(chunk.count)
    readyBytes += chunk.bytes.count
    ready.append(chunk)
  }

  private func makeAllReady() {
    for partition in openPartitions {
      if let chunk = open[Int(partition)] { makeReady(chunk) }
      open[Int(partition)] = nil
    }
    openPartitions.removeAll(keepingCapacity: true)
  }

  private func recycle(_ chunks: [RecordChunk]) {
    for chunk in chunks {
      queuedRecords -= Int(chunk.count)
      queuedBytes -= chunk.bytes.count
      spare.put(chunk)
    }
    monitor.signalProgress()
  }

  private func noteFailed(_ chunks: [RecordChunk], mayBeOnLog: Bool) {
    for chunk in chunks {
      counts.failed += Int64(chunk.count)
      if tellsOfAll { reports.failed += chunk.sequences }
      // They were taken for sent before that was known.
      if isUnanswered { counts.unanswered -= Int64(chunk.count) }
    }
    observer?.together {
      for chunk in chunks {
        for sequence in chunk.sequences { observer?.failed(sequence, mayBeOnLog: mayBeOnLog) }
      }
    }
  }

  private func giveUpQueued() {
    makeAllReady()
    noteFailed(ready, mayBeOnLog: false)
    for chunk in ready {
      queuedRecords -= Int(chunk.count)
      queuedBytes -= chunk.bytes.count
    }
    ready.removeAll()
    readyBytes = 0
    monitor.signalProgress()
  }
}

/// The bounds of a producer's queue.
struct ProducerLimits {
  /// Records that are neither acknowledged nor failed; `send` blocks above it.
  var queuedRecords = 100_000
  var queuedBytes = 24 << 20
  /// A flush starts when this much is waiting in full chunks, or when the oldest record has waited for `linger`.
  var flushBytes: Int
  var linger: Duration

  init(_ pace: ProducerPace) {
    switch pace {
    case .bulk:
      flushBytes = 2 << 20
      linger = .milliseconds(20)
    case .interactive:
      flushBytes = 256 << 10
      linger = .milliseconds(5)
    }
  }
}

/// A mutex with two conditions: the writer waits for work, the sender for what the writer has done.
private final class Monitor: @unchecked Sendable {
  // The three members are made for use from several threads, never move, and live as long as this object.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let work = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let progress = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    pthread_mutex_init(mutex, nil)
    for condition in [work, progress] {
      #if canImport(Darwin)
        pthread_cond_init(condition, nil)
      #else
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
      #endif
    }
  }

  deinit {
    for condition in [work, progress] {
      pthread_cond_destroy(condition)
      condition.deallocate()
    }
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  @inline(__always)
  func lock() { pthread_mutex_lock(mutex) }

  @inline(__always)
  func unlock() { pthread_mutex_unlock(mutex) }

  func locked<T, E: Error>(_ body: () throws(E) -> T) throws(E) -> T {
    lock()
    defer { unlock() }
    return try body()
  }

  // All below: only while locked.

  func signalWork() { pthread_cond_signal(work) }
  func signalProgress() { pthread_cond_broadcast(progress) }
  func waitForWork() { pthread_cond_wait(work, mutex) }
  func waitForProgress() { pthread_cond_wait(progress, mutex) }
  /// Wakes earlier now and then; the caller asks its clock again.
  func waitForWork(atMost limit: Duration) { wait(work, limit) }
  func waitForProgress(atMost limit: Duration) { wait(progress, limit) }

  private func wait(_ condition: UnsafeMutablePointer<pthread_cond_t>, _ limit: Duration) {
    let rest = max(0, limit.nanoseconds)
    var end = timespec(tv_sec: Int(rest / 1_000_000_000), tv_nsec: Int(rest % 1_000_000_000))
    #if canImport(Darwin)
      pthread_cond_timedwait_relative_np(condition, mutex, &end)
    #else
      // The kernel wants the moment on its own clock.
      var now = timespec()
      clock_gettime(CLOCK_MONOTONIC, &now)
      end.tv_sec += now.tv_sec
      end.tv_nsec += now.tv_nsec
      if end.tv_nsec >= 1_000_000_000 {
        end.tv_sec += 1
        end.tv_nsec -= 1_000_000_000
      }
      pthread_cond_timedwait(condition, mutex, &end)
    #endif
  }
}
