/// Which orders an audit is about: all that the topic holds, or those between two places. Events of other orders are not
/// judged, so that no verdict at a border rests on half of what belongs together.
public struct AuditScope: Sendable {
  /// The range that somebody asked for, as places; a partition in which no place begins has none of it.
  public struct Places: Sendable {
    public var from: [Place]
    public var to: [Place]
    /// On the wall clock, milliseconds since 1970 UTC.
    public var now: Int64

    /// - Parameters: `from` empty: at the earliest records; `to` empty: at the ends.
    public init(from: [Place], to: [Place], now: Int64) {
      self.from = from.isEmpty ? [.earliest] : from
      self.to = to
      self.now = now
    }
  }

  /// By partition, the orders that are audited.
  let audited: [Range<Offset>]
  /// By partition, what the topic holds.
  private let held: [Range<Offset>]
  /// By partition, whether all from the first order on was asked for, so that one that is gone was asked for too.
  private let fromFirst: [Bool]
  /// Whether a range was asked for.
  let isPart: Bool

  init(
    _ places: Places?, of topic: String, _ marks: [Watermarks], _ admin: any Admin
  ) throws(BrokerError) {
    held = marks.map { $0.low..<$0.high }
    isPart = places != nil
    guard let places else {
      audited = held
      fromFirst = marks.map { _ in true }
      return
    }
    let starts = try places.from.offsets(in: topic, marks, admin: admin, wallMilliseconds: places.now)
    let ends = try places.to.offsets(in: topic, marks, admin: admin, wallMilliseconds: places.now)
    audited = marks.indices.map { number in
      guard let start = starts[number] else { return marks[number].low..<marks[number].low }
      return start..<max(start, ends[number] ?? marks[number].high)
    }
    fromFirst = zip(starts, marks).map { $0 == $1.low }
  }

  /// Whether nobody asked about an order that is, or was, on the topic.
  func isOutside(_ partition: Int, _ offset: Offset) -> Bool {
    if audited[partition].contains(offset) || offset >= held[partition].upperBound { return false }
    return offset >= held[partition].lowerBound || !fromFirst[partition]
  }
}
