/// Why a pipeline stopped. Each case prints as one line: `<what failed>: <why>; <what to do>`.
public enum PipelineError: Error, Sendable, CustomStringConvertible {
  /// The broker could not do something.
  case broker(BrokerError)
  /// A poison record, under `--on-error fail`.
  case poison(Coordinates, Poison)
  /// More distinct minutes than `OrderMetrics.minuteLimit`; the record would have added one.
  case tooManyMinutes(Coordinates?)
  /// The committed offset and the state of a partition disagree: someone moved the offsets.
  case offsetsMoved(TopicPartition, group: String, committed: Offset, covered: Offset?)
  /// The state of the group was written by another job, or by a newer version of this program.
  case foreignState(group: String, why: String)
  /// Records between the group's position and the log start offset are gone.
  case rangeGone(TopicPartition, from: Offset, to: Offset)
  /// The group's position lies beyond the end of the partition: the topic was made anew.
  case topicRecreated(TopicPartition, position: Offset, end: Offset)
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
        "check the timestamps, or read the topic in parts with several groups"
      )
    case .offsetsMoved(let partition, let group, let committed, let covered):
      let state = covered.map { "its state covers the records below \($0)" } ?? "it has no state for them"
      let back = covered.map { "move them back to \($0), or " } ?? ""
      return (
        "cannot go on with group \(group) on \(partition)",
        "its committed offset is \(committed), but \(state), so someone moved the offsets",
        back + "recompute with analytics --reset-offsets; inventory starts over with another --group and --output-topic"
      )
    case .foreignState(let group, let why):
      return ("cannot use group \(group)", why, "use another --group")
    case .rangeGone(let partition, let from, let to):
      return (
        "cannot go on with \(partition)",
        "the records \(from) to \(to - 1) were removed before this group read them",
        "go on without them with --accept-loss; analytics can also start over with --reset-offsets"
      )
    case .topicRecreated(let partition, let position, let end):
      return (
        "cannot go on with \(partition)",
        "the group is at offset \(position), but the partition ends at \(end), so the topic was made anew",
        "recompute with analytics --reset-offsets; inventory starts over with another --group and --output-topic"
      )
    case .groupActive(let group):
      return ("cannot reset group \(group)", "another member is active", "stop it and try again")
    }
  }

  public var description: String {
    let (what, why, remedy) = parts
    return remedy.isEmpty ? "\(what): \(why)" : "\(what): \(why); \(remedy)"
  }
}
