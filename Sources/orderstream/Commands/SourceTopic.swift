import OrderStreamCore

/// The topic that a consuming command reads: found, or created where that is right.
struct SourceTopic {
  /// What to do about a missing topic, for commands that can wait for it.
  static let followRemedy = "produce to it first, or use --follow to wait for it"

  let name: String
  let partitionCount: Int32

  /// A bounded run needs an existing topic; `--follow` creates a missing one.
  /// - Parameter remedy: what to do about a missing topic.
  init(
    _ name: String, follow: Bool, context: CommandContext, admin: any Admin,
    remedy: String = "produce to it first"
  ) throws {
    self.name = name
    let wishes = context.topicWishes
    if follow {
      partitionCount = try TopicSetup.ensure(name, wishes: wishes, admin: admin)
    } else if let found = try TopicSetup.partitionCount(of: name, wishes: wishes, admin: admin) {
      partitionCount = found
    } else {
      throw CommandError(
        .input, "cannot read topic \(name)", why: "there is no such topic on \(context.options.brokers)", remedy: remedy
      )
    }
  }

  /// The ends of all partitions now: the bound of a bounded run.
  func frozenEnds(_ admin: any Admin) throws -> [Offset] {
    try admin.watermarks(topic: name, partitions: Int(partitionCount)).map(\.high)
  }
}

/// Finds the topic that a reader without a group reads, and for a follower waits until it is there. Creates nothing, neither
/// a topic nor an embedded log.
struct TopicWait {
  struct Found {
    let broker: any Broker
    /// The caller closes it.
    let admin: any Admin
    let watermarks: [Watermarks]
    /// It came while it was waited for.
    let isNew: Bool
  }

  private static let interval = Duration.milliseconds(100)
  private static let noteAfter = Duration.seconds(1)

  let topic: String
  let context: CommandContext

  /// - Parameter isOver: Whether waiting has no sense any more.
  /// - Returns: `nil` when that, or a request to stop, came first.
  /// - Throws: `input` when the topic is missing and `follow` is false.
  func find(follow: Bool, isOver: () -> Bool = { false }) throws -> Found? {
    let start = context.time.monotonicNanoseconds
    let outages = follow ? OutageLimit.none : .look
    var broker = try context.openBroker(to: .read, outages: outages)
    var (isNew, isNoted) = (false, false)
    while true {
      let admin = try broker.admin()
      do {
        if let marks = try watermarks(admin, follow: follow) {
          return Found(broker: broker, admin: admin, watermarks: marks, isNew: isNew)
        }
      } catch {
        admin.close()
        throw error
      }
      admin.close()
      isNew = true
      if context.stop.isRequested || isOver() { return nil }
      if !isNoted, context.time.monotonicNanoseconds - start >= Self.noteAfter.nanoseconds {
        isNoted = true
        context.console.note("waiting for the topic \(topic), which is not on \(broker.name) yet")
      }
      context.time.sleep(Self.interval)
      if BrokerFactory.isAbsent(broker) {
        broker = try BrokerFactory.open(context, to: .read, outages: outages)
      }
    }
  }

  /// The borders of the topic's partitions; `nil` when it is not there and is to be waited for.
  private func watermarks(_ admin: any Admin, follow: Bool) throws -> [Watermarks]? {
    do {
      _ = try SourceTopic(
        topic, follow: false, context: context, admin: admin, remedy: SourceTopic.followRemedy)
      return try admin.watermarks(topic: topic)
    } catch {
      if follow && CommandError(error).code == .input { return nil }
      throw error
    }
  }
}

/// Tells once of each partition in which an open transaction has hidden records for about a second.
struct HiddenRecords {
  /// From a change of position to the first look, and from that to the one that confirms what it found.
  private static let interval = Duration.milliseconds(500)
  /// While nothing is hidden.
  private static let calmInterval = Duration.seconds(1)
  /// After a question that was not answered, which itself took long.
  private static let failureInterval = Duration.seconds(10)

  private let topic: String
  private let context: CommandContext
  /// By partition: the position behind which records were hidden at the last look.
  private var suspected: [Int32: Offset] = [:]
  private var reported: Set<Int32> = []
  private var positions: [PartitionOffset] = []
  private var nextLook: Int64

  init(topic: String, context: CommandContext) {
    self.topic = topic
    self.context = context
    nextLook = context.time.monotonicNanoseconds + Self.interval.nanoseconds
  }

  /// To be called whenever nothing came. Looks at the broker now and then; that it does not answer is the consumer's to
  /// tell of.
  mutating func look(_ positions: [PartitionOffset], _ admin: any Admin) {
    let now = context.time.monotonicNanoseconds
    if positions != self.positions {
      self.positions = positions
      suspected = [:]
      nextLook = now + Self.interval.nanoseconds
    }
    guard now >= nextLook else { return }
    guard let marks = try? admin.watermarks(topic: topic) else {
      nextLook = now + Self.failureInterval.nanoseconds
      return
    }
    var found: [Int32: Offset] = [:]
    for position in positions where marks.indices.contains(Int(position.partition)) {
      let mark = marks[Int(position.partition)]
      let isHidden = mark.stable < mark.high && position.offset >= mark.stable
      if isHidden && !reported.contains(position.partition) { found[position.partition] = mark.stable }
    }
    for (partition, offset) in found.sorted(by: { $0.key < $1.key }) where suspected[partition] == offset {
      reported.insert(partition)
      found[partition] = nil
      let wait = PipelineWait.openTransaction(TopicPartition(topic: topic, partition: partition), offset)
      context.console.note(wait.description)
    }
    suspected = found
    nextLook = now + (found.isEmpty ? Self.calmInterval : Self.interval).nanoseconds
  }
}
