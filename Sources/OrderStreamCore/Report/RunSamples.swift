/// A run over time, for `samples` of a document: how much was done, and how much of it, or how far behind, by partition.
/// However long the run is, there are at most `limit` samples: when they are full, two neighbours become one and the
/// interval doubles.
public struct RunSamples: Sendable {
  public struct Sample: Sendable, Equatable {
    /// Since the start.
    public var milliseconds: Int64
    /// Done so far.
    public var count: Int64
    /// By partition; `nil` for one that is not known, and for all of them when there are more than `partitionLimit`.
    public var partitions: [Int64?]?
  }

  /// What the numbers by partition are.
  public enum Kind: Sendable {
    /// `acknowledged`, in all and by partition.
    case acknowledged
    /// The same of a run without acknowledgements: `sent`, and `acknowledged` stays 0.
    case sent
    /// `processed`, and the `lag` by partition.
    case processed
  }

  public static let limit = 240
  public static let partitionLimit = 64
  static let shortestInterval = Duration.milliseconds(100)

  public private(set) var samples: [Sample] = []
  private let kind: Kind
  /// On the monotonic clock, as all times that are given.
  private let start: Int64
  private var interval = shortestInterval.nanoseconds
  private var next: Int64

  public init(_ kind: Kind, since start: Int64) {
    self.kind = kind
    self.start = start
    next = start
  }

  public var isEmpty: Bool { samples.isEmpty }

  /// Whether a sample is due; otherwise none is worth making.
  public func isDue(at now: Int64) -> Bool { now >= next }

  /// Whether one has been due for so long that the run stands still.
  public func isOverdue(at now: Int64) -> Bool { now >= next + interval }

  /// - Parameter partitions: those beyond `partitionLimit` make all of them unknown.
  public mutating func take(at now: Int64, _ count: Int64, _ partitions: [Int64?]?) {
    let known = partitions.flatMap { $0.count <= Self.partitionLimit ? $0 : nil }
    let sample = Sample(milliseconds: (now - start) / 1_000_000, count: count, partitions: known)
    // The last one of a run may follow at once.
    if let last = samples.last, last.milliseconds >= sample.milliseconds { samples.removeLast() }
    samples.append(sample)
    next = now + interval
    if samples.count > Self.limit { merge() }
  }

  private mutating func merge() {
    let merged = stride(from: 0, to: samples.count - 1, by: 2).map { index in
      kind == .processed && lag(samples[index]) > lag(samples[index + 1]) ? samples[index] : samples[index + 1]
    }
    samples = samples.count % 2 == 0 ? merged : merged + samples.suffix(1)
    interval *= 2
    next += interval / 2
  }

  /// So that a peak stays; −1 for an unknown one.
  private func lag(_ sample: Sample) -> Int64 {
    guard let partitions = sample.partitions, !partitions.contains(nil) else { return -1 }
    return partitions.reduce(0) { $0.saturatingAdd($1 ?? 0) }
  }

  func appendMembers(to json: inout JSONWriter) {
    let (count, parts) =
      switch kind {
      case .acknowledged: ("acknowledged", "partitions")
      case .sent: ("sent", "partitions")
      case .processed: ("processed", "lag")
      }
    json.key("samples")
    json.beginArray()
    for sample in samples {
      json.beginObject()
      json.member("t_ms", sample.milliseconds)
      if kind == .sent { json.member("acknowledged", Int64(0)) }
      json.member(count, sample.count)
      json.member(parts, sample.partitions)
      json.endObject()
    }
    json.endArray()
  }
}

extension JSONWriter {
  /// Appends a key and a list of integers, each or all of them `null` where they are not known.
  mutating func member(_ key: String, _ values: [Int64?]?) {
    self.key(key)
    guard let values else { return null() }
    beginArray()
    for value in values {
      if let value { integer(value) } else { null() }
    }
    endArray()
  }
}
