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

  /// - Returns: `nil` when a request to stop came first.
  /// - Throws: `input` when the topic is missing and `follow` is false.
  func find(follow: Bool) throws -> Found? {
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
      if context.stop.isRequested { return nil }
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
