import OrderStreamCore

/// Asks for the lag of a group of this program in its one topic, for commands that watch a group of their own.
struct GroupLagLook {
  /// How long coordinators, and then leaders, may take to answer.
  private static let limit = Duration.seconds(1)

  /// Of the topic and of the group.
  let name: String
  let admin: any Admin

  struct Finding {
    var total: Lag
    /// By partition; `nil` when nobody answered.
    var partitions: [GroupLag.Partition]?

    var parts: [Int64?]? { partitions?.map(\.lag.records) }
    /// What the committed offsets have passed in all.
    var committed: Int64 { (partitions ?? []).reduce(0) { $0.saturatingAdd($1.committed ?? 0) } }
  }

  /// The lag over all partitions. Before the first commit of a partition all of it counts, because the group is new and
  /// starts at the earliest record. A broker that cannot be reached makes it unknown.
  func look() throws -> Finding {
    do {
      let listing = try admin.groupListing(named: name, within: Self.limit)
      var group =
        listing.groups.first
        ?? GroupDescription(group: name, state: "Empty", members: [], committed: [:])
      group.beginsAtEarliest = true
      let looks = try admin.looks(at: [name], within: Self.limit)
      let lag = GroupLag(of: group, in: [name], looks: looks)
      return Finding(total: lag.total, partitions: lag.partitions)
    } catch {
      let error = CommandError(error)
      guard error.code == .unavailable else { throw error }
      return Finding(total: .unknown(reason: error.why), partitions: nil)
    }
  }
}
