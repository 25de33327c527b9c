@testable import OrderStreamCore

/// A group whose offsets are functions of time, looked at again and again.
struct SimulatedGroup {
  private(set) var history: LagHistory
  private var time: Double
  var members: [String]
  /// Which member has a partition; `nil`: they share them evenly.
  var owner: ((Int) -> String?)?
  var state = "Stable"
  /// High minus stable, by partition.
  var hidden: (_ partition: Int, _ seconds: Double) -> Double = { _, _ in 0 }
  let partitions: Int
  private var random = SeededRandom(seed: 1)

  init(partitions: Int, members: Int = 1, window: Duration = .seconds(60)) {
    history = LagHistory(window: window)
    self.partitions = partitions
    self.members = (0..<members).map { "m\($0)" }
    time = 0
  }

  /// Seconds since the first look.
  var now: Double { time }

  var explanation: LagExplanation { LagExplanation(history) }

  /// Looks until so many seconds have passed since the first look.
  /// - Parameters:
  ///   - ends: last stable offsets.
  ///   - positions: committed offsets; what lies beyond the end does not come.
  ///   - jitter: by how much a look may be late, in seconds.
  mutating func run(
    seconds: Double, every interval: Double = 1, jitter: Double = 0,
    ends: (_ partition: Int, _ seconds: Double) -> Double,
    positions: (_ partition: Int, _ seconds: Double) -> Double
  ) {
    while time <= seconds {
      let at = time + jitter * Double(random.next() >> 11) / 9_007_199_254_740_992
      look(at: at, { ends($0, at) }, { positions($0, at) })
      time += interval
    }
  }

  private mutating func look(at seconds: Double, _ ends: (Int) -> Double, _ positions: (Int) -> Double) {
    var group = GroupDescription(group: "g", state: members.isEmpty ? "Empty" : state, members: [], committed: [:])
    var owned: [String: [TopicPartition]] = [:]
    var looks: [PartitionLook] = []
    for number in 0..<partitions {
      let place = TopicPartition(topic: "t", partition: Int32(number))
      let stable = Offset(ends(number))
      looks.append(
        .seen(Watermarks(low: 0, high: stable + Offset(hidden(number, seconds)), stable: stable)))
      group.committed[place] = min(stable, Offset(positions(number)))
      let member = owner.map { $0(number) } ?? (members.isEmpty ? nil : members[number * members.count / partitions])
      if let member { owned[member, default: []].append(place) }
    }
    group.members = members.map { GroupDescription.Member(id: $0, host: "h", partitions: owned[$0] ?? []) }
    let lag = GroupLag(of: group, in: ["t"], looks: ["t": TopicLook(partitions: looks)])
    history.observe(group, lag, at: 1_000_000_000_000 + Int64(seconds * 1e9))
  }
}
