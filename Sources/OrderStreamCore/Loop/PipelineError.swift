/// A partition whose committed offset is not the one that its state covers.
public struct MovedOffset: Hashable, Sendable {
  public var partition: Int32
  public var committed: Offset
  public var covered: Offset

  public init(partition: Int32, committed: Offset, covered: Offset) {
    self.partition = partition
    self.committed = committed
    self.covered = covered
  }
}

/// Why a pipeline stopped. Each case prints as one line: `<what failed>: <why>; <what to do>`.
public enum PipelineError: Error, Sendable, CustomStringConvertible {
  /// The broker could not do something.
  case broker(BrokerError)
  /// A poison record, under `--on-error fail`.
  case poison(Coordinates, Poison)
  /// More distinct minutes than `OrderMetrics.minuteLimit`; the record would have added one.
  case tooManyMinutes(Coordinates?)
  /// Committed offsets and state of some partitions of a topic disagree: someone moved the offsets.
  case offsetsMoved(topic: String, group: String, [MovedOffset])
  /// The group has committed offsets in the topic and no state: another program's group.
  case foreignOffsets(topic: String, group: String)
  /// A member of another program is active in the group.
  case foreignMember(group: String, member: String, host: String)
  /// This program has committed offsets in these partitions, and their state is gone.
  case stateGone(topic: String, group: String, partitions: [Int32])
  /// A weaker guarantee is asked of a group that has state: it is run exactly once.
  case guaranteeMixed(group: String, Guarantee)
  /// State records are missing or altered, or another program's.
  case damagedState(TopicPartition, why: String)
  /// The state of the group was written by another job.
  case foreignState(group: String, why: String)
  /// The group has read (or, as an output, written) a topic of this name that is not this one.
  case topicMadeAnew(topic: String, group: String, isOutput: Bool)
  /// The group's offsets are gone, and whether its state speaks of this topic cannot be told.
  case identityUnknown(TopicPartition, group: String, why: String)
  /// Records between the group's position and the log start offset are gone.
  case rangeGone(TopicPartition, from: Offset, to: Offset)
  /// The group's position lies beyond the end of the partition: the topic has lost records, or was made anew.
  case beyondEnd(TopicPartition, group: String, position: Offset, end: Offset)
  /// Other members commit to partitions that this one was given, so it cannot find its place.
  case unsettled(topic: String, group: String)
  /// A group of a job that writes events is to be moved to another place.
  case immovable(group: String, job: String)
  /// A group is to be moved, and records that it may have counted are gone, so its state cannot be recomputed.
  case beginningGone(TopicPartition, group: String, low: Offset)
  /// Another member is active in a group that is to be reset.
  case groupActive(group: String)

  /// The record that cannot be taken, for an error that leaves those before it as they are.
  var record: Coordinates? {
    switch self {
    case .poison(let record, _): record
    case .tooManyMinutes(let record): record
    default: nil
    }
  }

  /// What failed, why, and what the user can do.
  public var parts: (what: String, why: String, remedy: String) {
    switch self {
    case .broker(let error):
      return (error.what, error.why, error.remedy)
    case .poison(let place, let poison):
      return (
        "cannot read the record at \(place)", "\(poison.message) (\(poison.code))",
        "repair its producer, or go on past such records with --on-error skip"
      )
    case .tooManyMinutes(let place):
      let limit = "the limit is \(OrderMetrics.minuteLimit) distinct minutes a group"
      let culprit = place.map { "the order at \($0) would add another" } ?? "its members together have more"
      return (
        "cannot count orders by minute", "\(limit) and \(culprit)",
        "check the timestamps, or read the topic in parts with several groups; --on-error cannot skip it, because then the "
          + "totals would depend on the order of arrival"
      )
    case .offsetsMoved(let topic, let group, let moved):
      let list = moved.map { "\(topic)[\($0.partition)] is at \($0.committed) and its state at \($0.covered)" }
      let back = moved.map { "\(topic)[\($0.partition)] to \($0.covered)" }
      return (
        "cannot go on with group \(group)",
        "someone moved its committed offsets: " + list.joined(separator: ", "),
        "move them back (\(back.joined(separator: ", "))), or \(Self.startOver(group))"
      )
    case .foreignOffsets(let topic, let group):
      return (
        "cannot use group \(group) on \(topic)",
        "its offsets were committed by another program, or its state topic was deleted: it has offsets and no state",
        "use another --group, or delete this one with kafka-consumer-groups.sh --delete --group \(group)"
      )
    case .foreignMember(let group, let member, let host):
      return (
        "cannot use group \(group)", "\(member) on \(host), a member of another program, is active in it",
        "use another --group, or stop that program"
      )
    case .stateGone(let topic, let group, let partitions):
      let list = partitions.map { "\(topic)[\($0)]" }.joined(separator: ", ")
      return (
        "cannot go on with group \(group)",
        "its offsets are there, but its state for \(list) is gone; a weaker --guarantee writes none",
        "go on with the --guarantee that it was run with, or \(Self.startOver(group))"
      )
    case .guaranteeMixed(let group, let guarantee):
      return (
        "cannot use group \(group) with --guarantee \(guarantee.rawValue)",
        "it has state, so it is run exactly once, and a group keeps one guarantee",
        "use another --group and --output-topic, or leave --guarantee out"
      )
    case .damagedState(let partition, let why):
      return (
        "cannot use the state for \(partition)", why,
        "recompute with analytics --reset-offsets; inventory starts over with another --group and --output-topic"
      )
    case .topicMadeAnew(let topic, let group, let isOutput):
      return (
        "cannot go on with group \(group)",
        "\(topic) was made anew since group \(group) \(isOutput ? "wrote" : "read") it",
        isOutput ? "start over with another --group, which writes all events again" : Self.startOver(group)
      )
    case .identityUnknown(let partition, let group, let why):
      return (
        "cannot go on with group \(group)",
        "its offsets have expired or \(partition.topic) was made anew, and \(why)", Self.startOver(group)
      )
    case .unsettled(let topic, let group):
      return (
        "cannot find the position of group \(group) on \(topic)",
        "other members commit to the partitions of this one", "try again"
      )
    case .foreignState(let group, let why):
      return ("cannot use group \(group)", why, "use another --group")
    case .rangeGone(let partition, let from, let to):
      return (
        "cannot go on with \(partition)",
        "the records \(from) to \(to - 1) were removed before this group read them",
        "go on without them with --accept-loss; analytics can also start over with --reset-offsets"
      )
    case .beyondEnd(let partition, let group, let position, let end):
      return (
        "cannot go on with \(partition)",
        "group \(group) is at offset \(position), but the partition ends at \(end): it has lost records, or was made anew",
        Self.startOver(group)
      )
    case .immovable(let group, let job):
      return (
        "cannot move group \(group)",
        "it is a group of \(job), whose events are out: moved back it would write them again, moved forward it would leave "
          + "some out",
        "start over with another --group and --output-topic"
      )
    case .beginningGone(let partition, let group, let low):
      return (
        "cannot move group \(group)",
        "the records of \(partition) below \(low) were removed, and it may have counted them, so what it had counted at a "
          + "place cannot be recomputed",
        "go on without them with --accept-loss"
      )
    case .groupActive(let group):
      return ("cannot reset group \(group)", "another member is active", "stop it and try again")
    }
  }

  /// What makes a group's state anew; inventory cannot, because its events are out.
  private static func startOver(_ group: String) -> String {
    "recompute with analytics --group \(group) --reset-offsets; inventory starts over with another --group and "
      + "--output-topic"
  }

  public var description: String {
    let (what, why, remedy) = parts
    return remedy.isEmpty ? "\(what): \(why)" : "\(what): \(why); \(remedy)"
  }
}

/// Runs a call of a port and gives its error the pipeline's type.
@inline(__always)
func brokerCall<Result>(_ body: @autoclosure () throws(BrokerError) -> Result) throws(PipelineError) -> Result {
  do throws(BrokerError) {
    return try body()
  } catch {
    throw .broker(error)
  }
}
