/// What an audit found about acknowledged records.
public struct ReceiptFindings: Sendable {
  /// What a receipt says of one partition, and what came of it.
  public struct Partition: Sendable, Equatable {
    public var partition: Int32
    /// Acknowledged ones.
    public var records: Int64
    public var chunks: Int64
    public var missing: Int64 = 0
    /// At least, where a chunk that differs holds lines of somebody else: it counts as one.
    public var altered: Int64 = 0
    public var twice: Int64 = 0
    public var unverifiable: Int64 = 0
  }

  /// One run of `produce`.
  public struct Run: Sendable {
    public var file: String
    public var run: String
    public var topic: String
    public var acknowledged: Int64
    /// Of these.
    public var withoutOffset: Int64
    /// `nil` of a run that was killed.
    public var failed: Int64?
    public var unknown: Int64?
    /// Whether it was told by this very topic, and not by an earlier one of its name; `nil` where nobody tells.
    public internal(set) var isSameTopic: Bool?
    /// Whether each record has an answer; not of a run that was killed.
    public var isComplete: Bool
    /// By number.
    public var partitions: [Partition]

    init(_ file: ReceiptOfFile) {
      let receipt = file.receipt
      self.file = file.file
      run = receipt.head.run
      topic = receipt.head.topic
      acknowledged = receipt.acknowledged
      withoutOffset = receipt.partitions.reduce(0) { $0 + Int64($1.withoutOffset.count) }
      failed = receipt.tail?.failed
      unknown = receipt.tail?.unknown
      isComplete = receipt.tail?.isComplete ?? false
      partitions = receipt.partitions.enumerated().map { number, partition in
        Partition(
          partition: Int32(number), records: partition.records + Int64(partition.withoutOffset.count),
          chunks: Int64(partition.chunks.count))
      }
    }
  }

  /// A chunk whose records are not all what they were.
  public struct ChunkDifference: Sendable, Equatable {
    public var run: String
    public var partition: Int32
    public var chunk: Int64
    public var offsets: ClosedRange<Offset>
    public var missing: Int64
    public var altered: Int64
    /// Whether more of them may be altered than could be told apart.
    public var isAtLeast: Bool
    /// The numbers of the orders that are missing or altered, ascending, as far as they can be told.
    public var orders: [Int64]
  }

  public internal(set) var runs: [Run]
  /// Of all runs, each checked by itself.
  public internal(set) var chunks: [ChunkDifference] = []
  public internal(set) var chunkCount: Int64 = 0
  /// Records at offsets of no receipt that a run has made without being told that they are there.
  public internal(set) var unacknowledgedPresent: Int64 = 0
  /// Other records at offsets of no receipt.
  public internal(set) var unreceipted: Int64 = 0

  /// Chunks that are kept; all are counted.
  public static let chunkLimit = 100

  /// Runs that were told by an earlier topic of this name.
  public var strangers: [Run] { runs.filter { $0.isSameTopic == false } }
  public var acknowledged: Int64 { runs.reduce(0) { $0 + $1.acknowledged } }
  public var unverifiable: Int64 { sum(\.unverifiable) }

  func sum(_ key: KeyPath<Partition, Int64>) -> Int64 {
    runs.reduce(0) { $0 + $1.partitions.reduce(0) { $0 + $1[keyPath: key] } }
  }

  mutating func add(_ difference: ChunkDifference) {
    chunkCount += 1
    if chunks.count < Self.chunkLimit { chunks.append(difference) }
  }
}
