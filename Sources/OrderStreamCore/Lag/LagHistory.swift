/// What looks at one group have seen within a window of time, as far as it explains the group's lag: offsets of each
/// partition, and who was a member. Bounded, and without a clock: times are those of the looks, on the monotonic clock.
public struct LagHistory: Sendable {
  /// However often is looked, no more looks are kept: then one whose neighbours are close goes.
  public static let limit = 64
  /// Looks that are kept although they are older than the window, so that a window that is shorter than the interval
  /// still has two to compare.
  static let least = 3
  /// What a dead member has left behind is read when only such a part of it is left.
  private static let deathPart: Int64 = 10

  /// What one look saw of one partition.
  public struct Observation: Hashable, Sendable {
    /// `nil`: the group has committed nothing, or it is not known.
    public var committed: Offset?
    /// `nil` when the partition could not be asked or is gone.
    public var watermarks: Watermarks?
    /// As `Lag` defines it; `nil` when it is unknown.
    public var lag: Int64?

    public init(committed: Offset?, watermarks: Watermarks?, lag: Int64?) {
      self.committed = committed
      self.watermarks = watermarks
      self.lag = lag
    }

    static let unknown = Observation(committed: nil, watermarks: nil, lag: nil)

    /// Where the group goes on, as the lag counts it.
    var position: Offset? {
      guard let watermarks, let lag else { return nil }
      return watermarks.stable - lag
    }

    /// Offsets that an open transaction hides.
    var hidden: Int64 { watermarks.map { $0.high - $0.stable } ?? 0 }
  }

  struct Look: Sendable {
    /// Monotonic nanoseconds.
    var time: Int64
    var state: String
    /// Sorted ids; `nil` when they are not known.
    var members: [String]?
    /// Which member reads a partition.
    var owners: [TopicPartition: String]
    /// Parallel to `LagHistory.places`.
    var observations: [Observation]

    var isRebalancing: Bool { state.hasSuffix("Rebalance") || ["Assigning", "Reconciling"].contains(state) }
  }

  /// A committed offset that went down, until the group has come back to where it was.
  struct Rewind: Hashable, Sendable {
    var from: Offset
    var to: Offset
    var time: Int64
  }

  /// A member that went although its partition stood still with a lag, until most of that lag is gone.
  struct Death: Hashable, Sendable {
    var member: String
    /// Since when its partition had stood still.
    var standsSince: Int64
    var time: Int64
    /// Of the partition, then.
    var lag: Int64
  }

  public let window: Duration
  /// The partitions of the last look, sorted.
  public private(set) var places: [TopicPartition] = []
  private(set) var looks: [Look] = []
  private(set) var rewinds: [TopicPartition: Rewind] = [:]
  private(set) var deaths: [TopicPartition: Death] = [:]
  /// Since when a partition has had the same position and a lag; it may be longer than the window.
  private var standstills: [TopicPartition: Int64] = [:]

  public init(window: Duration) { self.window = window }

  /// Looks that are kept.
  public var count: Int { looks.count }

  /// From the first look that is kept to the last one.
  public var span: Duration { .nanoseconds((looks.last?.time ?? 0) - (looks.first?.time ?? 0)) }

  /// Adds a look; its time lies behind that of the one before.
  public mutating func observe(_ group: GroupDescription, _ lag: GroupLag, at time: Int64) {
    let places = lag.partitions.map(\.topicPartition)
    if places != self.places { move(to: places) }
    var look = Look(
      time: time, state: group.state, members: group.membersKnown ? group.members.map(\.id) : nil, owners: [:],
      observations: lag.partitions.map {
        Observation(committed: $0.committed, watermarks: $0.watermarks, lag: $0.lag.records)
      })
    for member in group.members { for place in member.partitions { look.owners[place] = member.id } }
    if let last = looks.last {
      // What has not changed is kept once.
      if last.members == look.members { look.members = last.members }
      if last.owners == look.owners { look.owners = last.owners }
      noteRewinds(from: last, to: look)
      noteDeaths(from: last, to: look)
    }
    noteStandstills(look)
    looks.append(look)
    prune()
  }

  private mutating func move(to places: [TopicPartition]) {
    let index = Dictionary(uniqueKeysWithValues: self.places.enumerated().map { ($1, $0) })
    for look in looks.indices {
      let before = looks[look].observations
      looks[look].observations = places.map { place in index[place].map { before[$0] } ?? .unknown }
    }
    self.places = places
    let known = Set(places)
    rewinds = rewinds.filter { known.contains($0.key) }
    deaths = deaths.filter { known.contains($0.key) }
    standstills = standstills.filter { known.contains($0.key) }
  }

  private mutating func noteRewinds(from last: Look, to look: Look) {
    for (index, place) in places.enumerated() {
      let now = look.observations[index]
      guard let committed = now.committed, let marks = now.watermarks else { continue }
      if let rewind = rewinds[place], committed >= rewind.from || now.lag == 0 { rewinds[place] = nil }
      // A topic that was made anew has no such offset.
      guard let before = last.observations[index].committed, committed < before, before <= marks.high else { continue }
      let from = max(before, rewinds[place]?.from ?? 0)
      rewinds[place] = Rewind(from: from, to: committed, time: look.time)
    }
  }

  private mutating func noteDeaths(from last: Look, to look: Look) {
    for (index, place) in places.enumerated() {
      let lag = look.observations[index].lag ?? 0
      if let death = deaths[place], lag <= death.lag / Self.deathPart { deaths[place] = nil }
      guard let members = look.members, let owner = last.owners[place], !members.contains(owner),
        let since = standstills[place], since < last.time
      else { continue }
      deaths[place] = Death(member: owner, standsSince: since, time: look.time, lag: lag)
    }
  }

  private mutating func noteStandstills(_ look: Look) {
    for (index, place) in places.enumerated() {
      guard let lag = look.observations[index].lag, lag > 0 else {
        standstills[place] = nil
        continue
      }
      let before = looks.last?.observations[index].position
      if standstills[place] == nil || before != look.observations[index].position { standstills[place] = look.time }
    }
  }

  /// Since when a partition has had the same position and a lag; `nil` when it has none.
  func standstill(of index: Int) -> Int64? { standstills[places[index]] }

  /// The usual time between two moves of the position of these partitions, in seconds: that of the one that moves most
  /// often; 0 where it is not known.
  func usualGap(_ indices: some Sequence<Int>) -> Double {
    indices.compactMap { index -> Double? in
      var moves: [Int64] = []
      for (before, after) in zip(looks, looks.dropFirst())
      where before.observations[index].position != after.observations[index].position { moves.append(after.time) }
      let gaps = zip(moves, moves.dropFirst()).map { Double($1 - $0) / 1e9 }.sorted()
      return gaps.isEmpty ? nil : gaps[gaps.count / 2]
    }.min() ?? 0
  }

  private mutating func prune() {
    guard let last = looks.last else { return }
    let start = last.time - window.nanoseconds
    let old = looks.prefix { $0.time < start }.count
    looks.removeFirst(max(0, min(old, looks.count - Self.least)))
    rewinds = rewinds.filter { $0.value.time >= start }
    deaths = deaths.filter { $0.value.time >= start }
    guard looks.count > Self.limit else { return }
    let closest = (1..<looks.count - 1).min {
      looks[$0 + 1].time - looks[$0 - 1].time < looks[$1 + 1].time - looks[$1 - 1].time
    }
    if let closest { looks.remove(at: closest) }
  }

  // MARK: - Series

  /// What was seen of the offsets of some partitions together, look by look; looks that do not know all of them are left
  /// out.
  struct Series: Sendable {
    /// Seconds before the last look of the history, so not above 0.
    var times: [Double] = []
    /// Sums over the partitions: how far they can be read, and how far the group has got.
    var ends: [Double] = []
    var positions: [Double] = []

    var isEmpty: Bool { times.isEmpty }
  }

  func series(of indices: [Int]) -> Series {
    var series = Series()
    guard let last = looks.last else { return series }
    // Sums near 0 keep their digits.
    var origin: Int64?
    next: for look in looks {
      var (end, position) = (Int64(0), Int64(0))
      for index in indices {
        let seen = look.observations[index]
        guard let marks = seen.watermarks, let place = seen.position else { continue next }
        end = end.saturatingAdd(marks.stable)
        position = position.saturatingAdd(place)
      }
      let zero = origin ?? position
      origin = zero
      series.times.append(Double(look.time - last.time) / 1e9)
      series.ends.append(Double(end - zero))
      series.positions.append(Double(position - zero))
    }
    return series
  }
}
