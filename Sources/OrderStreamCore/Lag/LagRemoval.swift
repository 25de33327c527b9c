/// What a topic's own settings do to records that nobody has read yet.
public struct TopicRetention: Hashable, Sendable {
  static let names = ["cleanup.policy", "retention.ms", "retention.bytes", "message.timestamp.type"]

  /// How long records are kept; `nil`: for ever.
  var milliseconds: Int64?
  /// Whether a partition may become too large for its first records.
  var isBySize = false
  var usesAppendTime = false

  /// - Parameter settings: `nil` where nothing is removed by itself.
  init(_ settings: [String: String]?) {
    guard let settings else { return }
    usesAppendTime = settings["message.timestamp.type"] == "LogAppendTime"
    guard settings["cleanup.policy"]?.contains("delete") ?? true else { return }
    milliseconds = settings["retention.ms"].flatMap { Int64($0) }.flatMap { $0 < 0 ? nil : $0 }
    isBySize = (settings["retention.bytes"].flatMap { Int64($0) } ?? -1) >= 0
  }
}

/// Finds how many unread records retention will remove before they are read: at some moments until the group will have
/// caught up, the records that are due for removal then, less what the group will have read by then. One thread.
public final class LagRemovals {
  /// How often settings are asked, and offsets by time.
  private static let settingsInterval = Duration.seconds(60)
  private static let interval = Duration.seconds(30)
  private static let settingsLimit = Duration.seconds(2)
  /// Moments that are looked at, up to that at which all is read.
  private static let moments = 12

  private struct Topic {
    var retention = TopicRetention(nil)
    /// Why it is not known.
    var failure: String?
    var asked: Int64
    var due: Due?
  }

  /// The first offsets that are kept at some moments, in seconds from when they were asked; by partition number.
  private struct Due {
    var asked: Int64
    var moments: [(seconds: Double, offsets: [Offset])] = []
  }

  private let admin: any Admin
  private let time: any TimeSource
  private var topics: [String: Topic] = [:]

  public init(admin: any Admin, time: any TimeSource) {
    self.admin = admin
    self.time = time
  }

  public func usesAppendTime(_ topic: String) -> Bool { found(topic).retention.usesAppendTime }

  /// The removal of each partition, parallel to `lag`.
  public func removals(
    of lag: GroupLag, _ explanation: LagExplanation, ages: [LagExplanation.Age]
  ) -> [LagExplanation.Removal] {
    zip(lag.partitions.indices, zip(lag.partitions, explanation.partitions)).map { index, partition in
      removal(of: partition.0, partition.1.forecast, explanation.forecast, ages[index])
    }
  }

  private func found(_ name: String) -> Topic {
    let now = time.monotonicNanoseconds
    if let topic = topics[name], now - topic.asked < Self.settingsInterval.nanoseconds { return topic }
    var topic = topics[name] ?? Topic(asked: now)
    topic.asked = now
    do throws(BrokerError) {
      let settings = try admin.settings(TopicRetention.names, of: name, within: Self.settingsLimit)
      (topic.retention, topic.failure) = (TopicRetention(settings), nil)
    } catch {
      topic.failure = error.why
    }
    topics[name] = topic
    return topic
  }

  private func removal(
    of partition: GroupLag.Partition, _ own: LagForecast, _ group: LagForecast, _ age: LagExplanation.Age
  ) -> LagExplanation.Removal {
    guard let records = partition.lag.records, let marks = partition.watermarks else {
      return LagExplanation.Removal(records: nil, reason: "the lag is not known: \(partition.lag.reason ?? "")")
    }
    if records == 0 { return .none }
    let name = partition.topicPartition.topic
    let topic = found(name)
    if let failure = topic.failure {
      return LagExplanation.Removal(records: nil, reason: "the settings of \(name) are not known: \(failure)")
    }
    if topic.retention.isBySize {
      return LagExplanation.Removal(
        records: nil, reason: "\(name) has retention.bytes, and how large a partition is nobody tells")
    }
    guard let kept = topic.retention.milliseconds else { return .none }
    guard let service = own.service?.perSecond else {
      return LagExplanation.Removal(records: nil, reason: own.reason ?? "what is served is not known")
    }
    // Never, or nobody knows: until all that is unread now is due.
    var until = Double(kept) / 1000
    if case .after(let seconds, _) = group.clear { until = min(until, seconds) }
    if let seconds = age.seconds, seconds + until < Double(kept) / 1000 { return .none }
    let number = Int(partition.topicPartition.partition)
    guard let due = due(name, kept: kept, until: until), due.moments.allSatisfy({ $0.offsets.indices.contains(number) })
    else {
      return LagExplanation.Removal(records: nil, reason: "what is due for removal could not be asked")
    }
    let position = Double(marks.stable - records)
    let asked = Double(time.monotonicNanoseconds - due.asked) / 1e9
    let lost =
      due.moments.map { moment in
        Double(min(moment.offsets[number], marks.stable))
          - (position + max(0, service) * max(0, moment.seconds - asked))
      }.max() ?? 0
    return LagExplanation.Removal(
      records: min(records, max(0, Int64(lost.rounded()))),
      reason: lost >= 1
        ? "due after \(LagWords.seconds(Double(kept) / 1000)); brokers remove whole segments, so later" : nil)
  }

  /// What will be due at some moments; `nil` where it could not be asked.
  private func due(_ name: String, kept: Int64, until: Double) -> Due? {
    let now = time.monotonicNanoseconds
    if let due = topics[name]?.due, now - due.asked < Self.interval.nanoseconds { return due }
    let border = time.wallMilliseconds - kept
    var due = Due(asked: now)
    for moment in 0...Self.moments {
      let seconds = until * Double(moment) / Double(Self.moments)
      guard let offsets = try? admin.offsets(topic: name, at: border + Int64(seconds * 1000)) else { return nil }
      due.moments.append((seconds, offsets))
    }
    topics[name]?.due = due
    return due
  }
}
