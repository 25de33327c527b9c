import Synchronization

/// A member of a group that behaves as a scenario asks for: at a pace, fair to its partitions, slow to begin after an
/// assignment, or not at work at all. Unlike `PipelineLoop` it keeps no state, does as much of each partition as of
/// the others however a broker hands out records, and may misbehave. One thread.
public final class ScenarioMember {
  /// What members are told to do, and what they tell. Shared by threads.
  public final class Orders: Sendable {
    public struct Wishes: Sendable {
      /// Records a second that a member handles; `nil`: as many as come.
      public var perSecond: Double?
      /// Polls, and handles nothing.
      public var isPaused = false
      /// How often the offsets were moved back so far, and how far each time.
      public var rewinds = 0
      public var rewindBy: Int64 = 0
      /// How long a member prepares itself after each assignment.
      public var preparation: Duration = .zero

      public init() {}
    }

    public let wishes: Mutex<Wishes>
    public let stop = StopFlag()

    public init(_ wishes: Wishes = Wishes()) { self.wishes = Mutex(wishes) }
  }

  /// Records that were read and not handled yet.
  private struct Lane {
    let partition: Int32
    /// Offsets, from `head` on.
    var waiting: [Offset] = []
    var head = 0
    /// The next offset to commit.
    var next: Offset
    var committed: Offset
    /// The end that was read, behind what waits.
    var end: Offset = 0

    var isEmpty: Bool { head == waiting.count }

    mutating func take() {
      next = waiting[head].next
      head += 1
      if isEmpty || head > 4096 {
        waiting.removeFirst(head)
        head = 0
      }
      passEnd()
    }

    /// Control records between the last record and the end count as read.
    mutating func passEnd() { if isEmpty && end > next { next = end } }
  }

  private static let pollTimeout = Duration.milliseconds(10)
  /// How long a member whose commit was refused waits to hear that its partitions are gone.
  private static let fencedLimit = Duration.seconds(2)
  private static let retryPause = Duration.milliseconds(100)

  private let consumer: any Consumer
  private let transaction: any Transaction
  private let orders: Orders
  private let time: any TimeSource
  private let batch = RecordBatch(recordLimit: 2000)
  private var assigned: [Int32]?
  private var lanes: [Lane] = []
  private var turn = 0
  /// When the next record is finished at the earliest, and when handling begins after an assignment.
  private var nextFree: Int64 = 0
  private var readyAt: Int64 = 0
  private var nextCommit: Int64 = 0
  private var rewindsDone: Int
  /// When to look for the committed offsets again, after an abort; `nil` while positions are good.
  private var findsPlaceAt: Int64?

  public init(
    topic: String, group: String, broker: any Broker, orders: Orders, time: any TimeSource
  ) throws(BrokerError) {
    self.orders = orders
    self.time = time
    rewindsDone = orders.wishes.withLock(\.rewinds)
    consumer = try broker.consumer(
      ConsumerOptions(topic: topic, membership: .member(group: group), readsHeaders: false))
    do throws(BrokerError) { transaction = try broker.transaction(for: consumer, outputs: []) } catch {
      consumer.close()
      throw error
    }
  }

  /// Commits what is handled, leaves the group and frees everything.
  public func close() {
    if findsPlaceAt == nil { try? commit() }
    transaction.close()
    consumer.close()
  }

  /// How many partitions it has; `nil` between assignments.
  public var partitionCount: Int? { assigned?.count }

  /// Works until a stop is requested.
  /// - Parameter turned: called on every turn.
  public func run(_ turned: (ScenarioMember) -> Void = { _ in }) throws(BrokerError) {
    while !orders.stop.isRequested {
      do throws(BrokerError) {
        try step()
      } catch {
        if error.requiresAbort {
          try startOver(error)
        } else if error.passesByItself || error.code == .busy {
          time.sleep(Self.retryPause)
        } else {
          throw error
        }
      }
      turned(self)
    }
  }

  private func step() throws(BrokerError) {
    let wishes = orders.wishes.withLock { $0 }
    let now = time.monotonicNanoseconds
    if let moment = findsPlaceAt, now >= moment, let assigned { try place(assigned) }
    if findsPlaceAt == nil, assigned != nil {
      if wishes.rewinds != rewindsDone { try rewind(wishes.rewindBy, times: wishes.rewinds) }
      handle(wishes, at: now)
      if now >= nextCommit { try commit() }
    }
    switch try consumer.poll(into: batch, timeout: Self.pollTimeout) {
    case .polled: take()
    case .assigned(let partitions):
      try place(partitions)
      assigned = partitions
      readyAt = time.monotonicNanoseconds + wishes.preparation.nanoseconds
    case .revoked: try release(committing: findsPlaceAt == nil)
    case .lost: try release(committing: false)
    }
  }

  // MARK: - Records

  /// Takes in what a poll has brought.
  private func take() {
    guard findsPlaceAt == nil, assigned != nil else { return }
    for index in 0..<batch.count {
      let record = batch[index]
      guard let lane = lanes.firstIndex(where: { $0.partition == record.partition }) else { continue }
      lanes[lane].waiting.append(record.offset)
    }
    for end in batch.ends {
      guard let lane = lanes.firstIndex(where: { $0.partition == end.partition }) else { continue }
      lanes[lane].end = max(lanes[lane].end, end.offset)
      lanes[lane].passEnd()
    }
  }

  /// Handles what is due by now, a record of each partition in turn. Who waits for records saves up no time.
  private func handle(_ wishes: Orders.Wishes, at now: Int64) {
    guard !wishes.isPaused, now >= readyAt else {
      nextFree = now
      return
    }
    guard let rate = wishes.perSecond else {
      while takeNext() {}
      nextFree = now
      return
    }
    let cost = Int64(1e9 / rate)
    while nextFree <= now {
      guard takeNext() else {
        nextFree = now
        return
      }
      nextFree += cost
    }
  }

  private func takeNext() -> Bool {
    for offset in lanes.indices {
      let lane = (turn + offset) % lanes.count
      guard !lanes[lane].isEmpty else { continue }
      lanes[lane].take()
      turn = lane + 1
      return true
    }
    return false
  }

  // MARK: - Offsets

  private func commit() throws(BrokerError) {
    let due = lanes.filter { $0.next != $0.committed }
    nextCommit = time.monotonicNanoseconds + ScenarioPlan.commitInterval.nanoseconds
    if due.isEmpty { return }
    try transaction.commit(due.map { PartitionOffset(partition: $0.partition, offset: $0.next) })
    for lane in lanes.indices { lanes[lane].committed = lanes[lane].next }
  }

  /// Goes on from the committed offsets.
  private func place(_ partitions: [Int32]) throws(BrokerError) {
    let found = try consumer.committedOffsets(partitions)
    try begin(zip(partitions, found).map { PartitionOffset(partition: $0, offset: $1 ?? 0) })
    for lane in lanes.indices { lanes[lane].committed = lanes[lane].next }
    findsPlaceAt = nil
  }

  private func begin(_ positions: [PartitionOffset]) throws(BrokerError) {
    try consumer.assign(positions)
    lanes = positions.map { Lane(partition: $0.partition, next: $0.offset, committed: -1) }
  }

  /// Moves every partition back, and the committed offsets with it.
  private func rewind(_ count: Int64, times: Int) throws(BrokerError) {
    let positions = lanes.map { PartitionOffset(partition: $0.partition, offset: max(0, $0.next - count)) }
    try begin(positions)
    rewindsDone = times
    try commit()
  }

  private func release(committing: Bool) throws(BrokerError) {
    if committing {
      do throws(BrokerError) { try commit() } catch  where error.requiresAbort {
        try transaction.abort()
      }
    } else {
      try transaction.abort()
    }
    lanes = []
    assigned = nil
    findsPlaceAt = nil
    try consumer.unassign()
  }

  private func startOver(_ error: BrokerError) throws(BrokerError) {
    try transaction.abort()
    lanes = []
    // Partitions that are another member's by now must not be taken up again: the next polls tell.
    let wait = error.code == .fenced ? Self.fencedLimit : Self.retryPause
    findsPlaceAt = time.monotonicNanoseconds + wait.nanoseconds
  }
}
