/// Watches the orders and the inventory events while others write and read them, and says in the end what the log took
/// back: reads both topics all the time, and compares what was seen with what new readers see. It measures how long an
/// order takes to become an event.
///
/// ```swift
/// while !stop.isRequested { _ = try witness.turn() }
/// witness.close()
/// let isWhole = try witness.compare(input: ends, output: otherEnds, …)
/// ```
/// Memory does not grow with what is seen, but for some fifty bytes for 256 offsets. One thread.
public final class Witness {
  /// How long a turn waits when nothing comes.
  private static let turnTimeout = Duration.milliseconds(10)
  /// Events whose orders have not been seen yet, that wait for them; of others no latency is known.
  private static let pendingLimit = 65_536
  /// How long an election may hide records behind a high watermark that is being found again.
  private static let endLimit = Duration.seconds(5)

  private let input: TopicWitness
  private let output: TopicWitness
  private let time: any TimeSource
  private let topicBytes: [UInt8]
  private let spool: WitnessSpool
  private var recorder = LatencyRecorder()
  /// What is stamped before belongs to the first second.
  private let border: Int64
  /// Of all readers; none when the watch is over.
  private var batch: RecordBatch? = RecordBatch(byteLimit: 4 << 20)
  private var pending: [(partition: Int32, offset: Offset, seenAt: Int64)] = []
  private var isCompared = false
  private var hasTurned = false
  /// When a record came last, or the ends were reached, on the monotonic clock.
  private var lastNews: Int64?

  /// - Parameters:
  ///   - residentBlocks: of 4 kB, for 256 offsets each, that are kept in memory; the rest is in `storage`.
  ///   - note: hears what is waited for.
  public init(
    topic: String, outputTopic: String, broker: any Broker, admin: any Admin, storage: any WitnessStorage,
    residentBlocks: Int = 2048, time: any TimeSource, stop: StopFlag, note: @escaping (String) -> Void
  ) {
    let spool = WitnessSpool(storage, residentBlocks: residentBlocks)
    func watch(_ topic: String, _ index: Int) -> TopicWitness {
      TopicWitness(
        topic, place: (index, 2), broker: broker, admin: admin, spool: spool, time: time, stop: stop, note: note)
    }
    (input, output) = (watch(topic, 0), watch(outputTopic, 1))
    self.spool = spool
    self.time = time
    topicBytes = Array(topic.utf8)
    border = time.wallMilliseconds + LatencyRecorder.firstPart.milliseconds
  }

  public var findings: WitnessFindings {
    var findings = WitnessFindings(input: input.findings, output: output.findings)
    findings.isCompared = isCompared
    findings.latency = recorder.figures
    return findings
  }

  /// Records that the committed readers have seen.
  public var recordsSeen: Int64 { input.findings.committed + output.findings.committed }

  /// For how long all readers have been at the ends without a record; `nil` while one is behind.
  public var idleTime: Duration? {
    guard let lastNews, input.hasReachedEnds, output.hasReachedEnds else { return nil }
    return .nanoseconds(time.monotonicNanoseconds - lastNews)
  }

  /// Lets each reader poll once; waits for a moment when nothing comes. Returns whether records came.
  @discardableResult
  public func turn() throws(BrokerError) -> Bool {
    guard let batch else { preconditionFailure("a witness that was closed watches no more") }
    try input.look(isNew: hasTurned)
    try output.look(isNew: hasTurned)
    hasTurned = true
    var came = false
    for reader in 0..<input.readerCount {
      came = try input.poll(reader: reader, into: batch, timeout: .zero) { (_, _) throws(BrokerError) in } || came
    }
    // What an event has come from was written before it, so its order is mostly known already.
    for reader in 0..<output.readerCount {
      let isLast = reader == output.readerCount - 1
      let timeout = isLast && !came ? Self.turnTimeout : .zero
      came = try output.poll(reader: reader, into: batch, timeout: timeout, measure) || came
    }
    try measurePending()
    let wasBehind = lastNews == nil
    if came || wasBehind && input.hasReachedEnds && output.hasReachedEnds { lastNews = time.monotonicNanoseconds }
    if !came && !output.isThere { time.sleep(Self.turnTimeout) }
    return came
  }

  /// Ends the watch.
  public func close() {
    input.close()
    output.close()
    batch = nil
  }

  // MARK: - Latency

  /// Takes the time of an order's first event, if it was written during the watch.
  private func measure(_ event: RecordBatch.View, at now: Int64) throws(BrokerError) {
    guard event.offset >= output.firstEnds[Int(event.partition)] else { return }
    let header = topicBytes.withUnsafeBytes { topic in
      event.headers.first(named: "source").flatMap { SourceHeader($0, topic: topic) }
    }
    guard let header, header.isOfTopic, header.line == 0 else { return }
    if try !record(header.partition, header.offset, seenAt: now), pending.count < Self.pendingLimit {
      pending.append((header.partition, header.offset, now))
    }
  }

  /// - Returns: `false` when the order has not been seen yet.
  private func record(_ partition: Int32, _ offset: Offset, seenAt: Int64) throws(BrokerError) -> Bool {
    switch try input.timestamp(partition, offset) {
    case .unknown: return false
    case .missing: return true
    case .seen(let timestamp):
      guard timestamp >= 0 else { return true }
      var sent = TimeRuns()
      sent.append(timestamp)
      recorder.record(sent, at: seenAt, border: border, in: .milliseconds)
      return true
    }
  }

  private func measurePending() throws(BrokerError) {
    if pending.isEmpty { return }
    var left: [(partition: Int32, offset: Offset, seenAt: Int64)] = []
    for event in pending where try !record(event.partition, event.offset, seenAt: event.seenAt) { left.append(event) }
    pending = left
  }

  // MARK: - The comparison

  /// Waits until both logs reach as far as was seen, which they do at once but after an election.
  public func awaitEnds(_ admin: any Admin, stop: StopFlag) throws(BrokerError) {
    let deadline = Deadline(Self.endLimit, time)
    for watched in [input, output] where watched.findings.isKnown {
      while !stop.isRequested, !deadline.hasPassed {
        do throws(BrokerError) {
          if watched.isReached(by: try admin.watermarks(topic: watched.topic)) { break }
        } catch  where error.code == .unknownTopic {
          break
        }
        time.sleep(.milliseconds(100))
      }
    }
  }

  /// Reads both topics anew and compares; `findings` has the result. The spool is given up then.
  /// - Parameters:
  ///   - input: what each partition has now; `nil` where the topic is gone.
  ///   - broker: for new readers.
  /// - Returns: `false` when a stop was requested before the end: nothing is compared then.
  public func compare(
    input inputRanges: [Range<Offset>]?, output outputRanges: [Range<Offset>]?, broker: any Broker, stop: StopFlag,
    waits: @escaping (PipelineWait) -> Void, progress: (_ read: Int64, _ inAll: Int64) -> Void
  ) throws(BrokerError) -> Bool {
    precondition(!isCompared, "a witness compares once")
    close()
    let topics = [(input, inputRanges), (output, outputRanges)]
    let total = topics.reduce(0) { $0 + $1.0.checkedOffsets($1.1 ?? []) }
    var read: Int64 = 0
    for (watched, ranges) in topics {
      guard let ranges else { continue }
      let isWhole = try watched.check(ranges, broker: broker, stop: stop, waits: waits) {
        read += 1
        if read % 1000 == 0 { progress(read, total) }
      }
      guard isWhole else { return false }
    }
    try spool.forEach { stream, offset, sight throws(BrokerError) in
      let (watched, ranges) = topics[stream % topics.count]
      let partition = stream / topics.count
      let range = ranges.flatMap { $0.indices.contains(partition) ? $0[partition] : nil }
      watched.judge(Int32(partition), offset, sight, range)
    }
    isCompared = true
    // An audit behind it needs the memory.
    spool.removeAll()
    return true
  }
}
