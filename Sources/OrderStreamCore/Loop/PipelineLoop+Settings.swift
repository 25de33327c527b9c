extension PipelineLoop {
  public struct Settings: Sendable {
    public var consumer: ConsumerOptions
    /// Partitions of the source topic.
    public var partitionCount: Int32
    public var outputs: [String] = []
    /// The weaker ones keep no state, so they are for processors that have none but the position.
    public var guarantee = Guarantee.exactlyOnce
    public var bound: RunBound
    /// Commits exactly this many records, if there are so many.
    public var maximumRecords: Int64?
    /// Clears the group's state and offsets before the first record; refused while another member is active.
    public var resetsGroup = false
    /// Where a group that has nothing in a partition begins there, by partition number; `nil`: at the earliest record.
    public var starts: [Offset]?
    /// Goes on where the log starts now when records were removed before the group read them, instead of stopping.
    public var acceptsLoss = false
    /// The most records of one poll.
    public var batchRecords = 10_000
    /// A commit is due after this long, or after `commitRecords`, or `commitBytes`, whichever comes first.
    public var commitInterval: Duration = .milliseconds(100)
    /// `nil`: 10 000 where there are outputs, else any number: what is read in an interval is a few lines of state.
    public var commitRecords: Int?
    public var commitBytes = OrderCost.mostBytes
    /// Applies what it reads while a commit is under way, for one more interval at most; others only poll the next batch
    /// meanwhile. For jobs without outputs whose processor can hold more than is committed, and that nobody looks at before
    /// the end.
    public var commitsWhileReading = false
    /// Whether `PipelineLoop.latency` is measured. Only for runs without an end: what was there before one is no measure.
    public var measuresLatency = false
    /// Time that a slow consumer spends on each record (`lag-demo`).
    public var delayPerRecord: Duration = .zero

    public init(consumer: ConsumerOptions, partitionCount: Int32, bound: RunBound) {
      self.consumer = consumer
      self.partitionCount = partitionCount
      self.bound = bound
    }

    /// The most bytes of one poll. Orders may become three hundred times as much, and while they are written the group is
    /// not heard.
    var pollBytes: Int { outputs.isEmpty ? 8 << 20 : 1 << 20 }

    var recordsPerCommit: Int { commitRecords ?? (outputs.isEmpty ? .max : 10_000) }
  }

  /// Makes the three ports, or none of them: a group keeps no member whose run could not begin.
  static func open(
    _ settings: Settings, _ broker: any Broker
  ) throws(PipelineError) -> (any Admin, any Consumer, any Transaction) {
    let admin = try brokerCall(try broker.admin())
    do throws(PipelineError) {
      try refuseForeignMembers(settings.consumer, admin)
      let consumer = try brokerCall(try broker.consumer(settings.consumer))
      do throws(PipelineError) {
        let transaction = try brokerCall(
          try broker.transaction(for: consumer, outputs: settings.outputs, guarantee: settings.guarantee))
        return (admin, consumer, transaction)
      } catch {
        consumer.close()
        throw error
      }
    } catch {
      admin.close()
      throw error
    }
  }

  /// How long the look at the group's members may take; joining says whatever is wrong after that.
  private static let memberLookLimit: Duration = .seconds(5)

  /// Refuses a group in which another program is active: it would give this one partitions that it has read, or none.
  private static func refuseForeignMembers(_ consumer: ConsumerOptions, _ admin: any Admin) throws(PipelineError) {
    guard case .member(let name) = consumer.membership,
      let group = try? admin.groupListing(named: name, within: memberLookLimit).groups.first
    else { return }
    if let member = group.members.first(where: { !$0.isOfThisProgram }) {
      throw .foreignMember(group: name, member: member.id, host: member.host)
    }
    if let failure = group.membersFailure, failure.code == .unsupported {
      throw .foreignState(group: name, why: "it is another program's: \(failure.why)")
    }
  }
}

/// When a run of the pipeline is over, besides a request to stop.
public enum RunBound: Sendable, Equatable {
  /// When the group's committed offsets have reached these ends (high watermarks frozen at the start, by partition
  /// number); records at or beyond an end are left alone.
  case ends([Offset])
  /// Never, or after `idle` without a record.
  case follow(idle: Duration?)

  /// A run without an end of its topic waits out what passes by itself.
  var isService: Bool { if case .follow = self { true } else { false } }
}
