/// A cause of lag that `lag-demo --scenario` makes for real, so that its explanation can be judged.
public enum LagScenario: String, CaseIterable, Sendable {
  /// Every partition has a member, and records come faster than a handler takes them.
  case slow
  /// Far more records than usual for a moment, then as many as before.
  case burst
  /// Members that poll and handle nothing: their commits do not move.
  case stall
  /// A member's process is killed, and its session runs on.
  case dead
  /// The group's offsets are moved back.
  case rewind
  /// Most records go to one partition.
  case skew
  /// A member joins and leaves again and again, and after each rebalance all others begin anew.
  case rebalance
  /// A member that has all partitions, and cannot keep up.
  case scaleOut = "scale-out"
  /// Another producer leaves a transaction open below the end.
  case transaction

  /// The cause that is made, as `status` names it.
  public var cause: String {
    switch self {
    case .slow: "slow_handler"
    case .burst: "burst"
    case .stall: "stalled_commits"
    case .dead: "dead_member"
    case .rewind: "rewind"
    case .skew: "hot_partition"
    case .rebalance: "rebalances"
    case .scaleOut: "too_few_members"
    case .transaction: "open_transaction"
    }
  }

  /// Whether the lag stays for ever while the cause lasts: then "never" is the right forecast.
  public var isEndless: Bool {
    switch self {
    case .slow, .stall, .dead, .skew, .rebalance, .scaleOut, .transaction: true
    case .burst, .rewind: false
    }
  }

  /// Why an embedded log has no such cause; `nil` where it has.
  public var whyOnlyOnCluster: String? {
    switch self {
    case .dead: "the embedded log sees a death at once and gives the partitions to the others, so no session runs on"
    case .transaction: "the embedded log writes a transaction at once when it is committed, so none is ever open"
    case .slow, .burst, .stall, .rewind, .skew, .rebalance, .scaleOut: nil
    }
  }
}

/// What a scenario does, in numbers: a function of its seed alone, so that twenty seeds differ and one can be run again.
///
/// Lags are planned in seconds of work: at its peak the lag takes the members about `drain` to clear, so that at its half
/// there are some seconds with steady rates behind and before the forecast.
public struct ScenarioPlan: Sendable, Equatable {
  /// Where it is run, as far as that changes the times.
  public enum Surroundings: Sendable {
    /// Rebalances take milliseconds.
    case oneMachine
    /// A rebalance waits for the next heartbeat of each member, up to a second.
    case cluster
  }

  /// Records a second that go to a partition.
  public typealias Rates = [Double]

  public let scenario: LagScenario
  public let seed: UInt64
  public var partitions: Int32
  /// Members of the group at the start.
  public var members: Int
  /// Records a second that one member handles.
  public var capacity: Double
  /// Records of each partition that are there, and handled, before anything is watched.
  public var history: Int64 = 0
  /// What comes while all is well, while the cause lasts, and afterwards.
  public var usual: Rates
  public var during: Rates
  public var calm: Rates
  /// How long all is well first, so that whoever watches has seen it.
  public var usualTime: Duration
  /// How long the cause lasts.
  public var causeTime: Duration
  /// When, since the cause was made, it must be named; `nil` when half of the lag has drained.
  public var judgedAfter: Duration?
  /// How far each partition is moved back.
  public var rewind: Int64 = 0
  /// How long a member prepares itself after each assignment.
  public var preparation: Duration = .zero
  /// How long the member that comes and goes stays, and how long it is away.
  public var churn: Duration = .zero
  /// Session of the member that is killed.
  public var session: Duration = .zero
  /// `--window` and `--watch` of whoever watches: the same for all scenarios, since they would tell.
  public let window: Duration
  public let interval: Duration

  public static let standardDrain = Duration.seconds(11)
  public static let shortestDrain = Duration.seconds(3)
  /// How often a member commits.
  public static let commitInterval = Duration.milliseconds(100)

  /// - Parameter drain: about how long the lag takes to clear.
  public init(
    _ scenario: LagScenario, seed: UInt64, drain: Duration = Self.standardDrain, in surroundings: Surroundings
  ) {
    self.scenario = scenario
    self.seed = seed
    // Of the scenario too, or all scenarios of a seed would draw the same numbers.
    let place = LagScenario.allCases.firstIndex(of: scenario) ?? 0
    var random = SeededRandom(seed: seed, index: UInt64(place))
    func between(_ low: Double, _ high: Double) -> Double {
      low + (high - low) * Double(random.next() >> 11) * 0x1p-53
    }
    /// Of a length that grows with the drain.
    let unit = Double(drain.nanoseconds) / Double(Self.standardDrain.nanoseconds)
    func seconds(_ seconds: Double) -> Duration { .nanoseconds(Int64(seconds * unit * 1e9)) }
    /// Seconds of work that the lag is at its peak, when `calm` of the capacity is taken by what goes on coming.
    func work(calm: Double) -> Double { 11 * between(0.95, 1.1) * (1 - calm) }

    window = seconds(4)
    interval = seconds(0.4)
    capacity = between(90, 150)
    usualTime = seconds(between(5, 6))
    let calmShare = between(0.2, 0.3)
    var share = (usual: calmShare, during: 0.0, calm: calmShare)
    var judged: Double? = 6.5
    var causeSeconds = 0.0
    switch scenario {
    case .slow:
      partitions = Int32(between(2, 5))
      members = Int(partitions)
      share.during = between(1.8, 2.2)
      causeSeconds = work(calm: calmShare) / (share.during - 1)
    case .burst:
      partitions = 2 * Int32(between(1, 3))
      members = Int(partitions) / (random.next() & 1 == 0 ? 1 : 2)
      share.during = between(4, 6)
      causeSeconds = work(calm: calmShare) / (share.during - 1)
      judged = nil
    case .stall:
      partitions = Int32(between(2, 5))
      members = Int(partitions)
      share.usual = between(0.5, 0.7)
      share.during = between(0.75, 0.9)
      causeSeconds = work(calm: calmShare) / share.during
    case .dead:
      partitions = 4
      members = 2
      share.usual = between(0.4, 0.6)
      share.during = between(0.75, 0.85)
      // Afterwards one member does the work of two.
      share.calm = calmShare / 2
      causeSeconds = 11
      judged = 7.5
    case .rewind:
      partitions = Int32(between(2, 5))
      members = Int(partitions)
      share.during = share.calm
      judged = 3
      causeSeconds = 3
    case .skew:
      partitions = Int32(between(3, 6))
      members = Int(partitions)
      share.during = between(1.75, 2.1)
      causeSeconds = work(calm: calmShare) / (share.during - 1)
    case .rebalance:
      partitions = 4
      members = 2
      share.usual = 0.5
      share.during = between(0.75, 0.85)
      // Something is handled between two rebalances, but little.
      causeSeconds = work(calm: calmShare) / (share.during - 0.15)
    case .scaleOut:
      let count = between(4, 7).rounded(.down)
      partitions = Int32(count)
      members = 1
      // Two partitions are more than one member can serve, so that each needs its own.
      let perMember = between(1.75, 1.9)
      share.during = 1 / perMember
      share.usual = 0.5 / count
      share.calm = share.during
      // What goes on coming is much of what is served then, so a shorter drain is enough.
      causeSeconds = 0.87 * work(calm: 0) * count * (perMember - 1) / (count - perMember)
    case .transaction:
      partitions = Int32(between(2, 4))
      members = Int(partitions)
      share.usual = between(0.5, 0.7)
      share.during = between(0.75, 0.9)
      causeSeconds = work(calm: calmShare) / share.during
    }
    judgedAfter = judged.map(seconds)
    causeTime = max(seconds(causeSeconds), judgedAfter.map { $0 + seconds(0.5) } ?? .zero)
    let perPartition = scenario == .scaleOut ? capacity : capacity * Double(members) / Double(partitions)
    let even = Rates(repeating: perPartition, count: Int(partitions))
    usual = even.map { $0 * share.usual }
    during = even.map { $0 * share.during }
    calm = even.map { $0 * share.calm }
    switch scenario {
    case .rewind:
      rewind = Int64(work(calm: calmShare) * unit * perPartition)
      history = rewind
    case .skew:
      let hot = Int(random.below(UInt64(partitions)))
      for partition in during.indices where partition != hot { during[partition] = perPartition * 0.15 }
    case .dead:
      // A broker takes none that is shorter.
      session = max(.seconds(6), causeTime)
    case .rebalance:
      churn = surroundings == .cluster ? .milliseconds(900) : .milliseconds(600)
      preparation = surroundings == .cluster ? .milliseconds(1100) : .milliseconds(500)
    case .slow, .burst, .stall, .scaleOut, .transaction: break
    }
  }

  /// The most time that anything may take that must happen before it is given up.
  public var patience: Duration { causeTime + .seconds(60) }
}
