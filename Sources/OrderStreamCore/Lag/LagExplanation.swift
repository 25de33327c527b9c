/// What looks at a group explain of its lag, partition by partition and in all.
public struct LagExplanation: Sendable {
  /// How old the first record is that the group has not committed.
  public struct Age: Hashable, Sendable {
    /// `nil` when it is not known.
    public var seconds: Double?
    /// Why it is not known, or what makes it less than exact; `nil` otherwise.
    public var reason: String?

    public init(seconds: Double?, reason: String? = nil) {
      self.seconds = seconds
      self.reason = reason
    }

    /// Nothing is unread.
    static let none = Age(seconds: 0)
    static let notAsked = Age(seconds: nil, reason: "records are read for the group that --group names")
  }

  /// How many unread records retention will remove before they are read.
  public struct Removal: Hashable, Sendable {
    /// `nil` when it is not known.
    public var records: Int64?
    public var reason: String?

    public init(records: Int64?, reason: String? = nil) {
      self.records = records
      self.reason = reason
    }

    static let none = Removal(records: 0)
    static let notAsked = Removal(records: nil, reason: "retention is asked for the group that --group names")
  }

  public struct Partition: Sendable {
    public var state: LagState?
    public var stateReason: String?
    public var forecast: LagForecast
    public var age: Age
    public var removal: Removal
  }

  public let window: Duration
  /// Looks that it is made of.
  public let looks: Int
  /// Parallel to those of the group's lag.
  public private(set) var partitions: [Partition]
  public let state: LagState?
  public let stateReason: String?
  public let forecast: LagForecast
  public let cause: LagCause

  public init(_ history: LagHistory) {
    let (whole, readers) = LagForecast.group(history)
    let missing = LagState.missing(history)
    partitions = history.places.indices.map { index in
      let state = LagState.partition(index, history)
      let forecast = LagForecast(of: [index], history)
      return Partition(
        state: state, stateReason: state == nil ? forecast.lag == nil ? forecast.reason : missing : nil,
        forecast: forecast, age: forecast.lag == 0 ? .none : .notAsked,
        removal: forecast.lag == 0 ? .none : .notAsked)
    }
    window = history.window
    looks = history.count
    state = LagState.group(partitions.map(\.state))
    stateReason = state == nil ? partitions.compactMap(\.stateReason).first ?? whole.reason : nil
    cause = LagCause(history, whole, readers)
    var forecast = whole
    if cause.kind == .openTransaction, whole.lag == 0 {
      // What is hidden is no lag yet, but it is not read either, whatever the group does.
      forecast.clear = .never(growth: 0)
      forecast.reason = "until the transaction ends, what it hides cannot be read"
    }
    self.forecast = forecast
  }

  /// What was found out of one partition besides what looks have seen.
  public mutating func set(_ age: Age?, _ removal: Removal?, of index: Int) {
    if let age { partitions[index].age = age }
    if let removal { partitions[index].removal = removal }
  }

  /// Of the partition that is behind most, `nil` as soon as one is not known.
  public var age: Age {
    if let unknown = partitions.first(where: { $0.age.seconds == nil }) { return unknown.age }
    let oldest = partitions.max { $0.age.seconds ?? 0 < $1.age.seconds ?? 0 }
    return oldest?.age ?? Age(seconds: nil, reason: forecast.reason)
  }

  /// In all partitions, `nil` as soon as one is not known.
  public var removal: Removal {
    if let unknown = partitions.first(where: { $0.removal.records == nil }) { return unknown.removal }
    if partitions.isEmpty { return Removal(records: nil, reason: forecast.reason) }
    return Removal(
      records: partitions.reduce(0) { $0.saturatingAdd($1.removal.records ?? 0) },
      reason: partitions.compactMap(\.removal.reason).first)
  }
}

/// What looks have seen of each group, for whoever looks again and again.
public struct LagWatch: Sendable {
  private let window: Duration
  private var histories: [String: LagHistory] = [:]

  public init(window: Duration) { self.window = window }

  /// Adds a look at all groups that there are; those that are not there any more are forgotten.
  /// - Parameter time: On the monotonic clock.
  /// - Returns: parallel to `groups`.
  public mutating func observe(
    _ groups: [(description: GroupDescription, lag: GroupLag)], at time: Int64
  ) -> [LagExplanation] {
    let names = Set(groups.map(\.description.group))
    if histories.count > names.count { histories = histories.filter { names.contains($0.key) } }
    return groups.map { group in
      let name = group.description.group
      // Taken out, so that it is changed where it is.
      var history = histories.removeValue(forKey: name) ?? LagHistory(window: window)
      history.observe(group.description, group.lag, at: time)
      let explanation = LagExplanation(history)
      histories[name] = history
      return explanation
    }
  }
}
