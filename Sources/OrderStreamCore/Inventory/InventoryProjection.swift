/// Turns each valid order into one inventory event an item, in item order, keyed by the order; poison goes where
/// `OnPoison` says. The state is the position alone.
public final class InventoryProjection: Processor {
  public enum OnPoison: Sendable {
    /// Copies the record to the dead-letter output, byte for byte.
    case deadLetter
    case skip
    case fail
  }

  /// What was done, by this process, in committed transactions.
  public struct Counts: Sendable, Equatable {
    public var orders: Int64 = 0
    public var items: Int64 = 0
    public var reserved: Int64 = 0
    public var released: Int64 = 0
    public var rejected: Int64 = 0
    /// Of the rejected ones, those whose dead letter is not a whole copy.
    public var truncatedDeadLetters: Int64 = 0
  }

  /// Indexes of the transaction's outputs.
  public enum Output {
    public static let inventory = 0
    public static let deadLetters = 1
  }

  public struct Settings: Sendable {
    public var topic: String
    public var group: String
    public var onPoison: OnPoison
    /// Partitions of the inventory topic.
    public var outputPartitions: Int32

    public init(topic: String, group: String, onPoison: OnPoison, outputPartitions: Int32) {
      self.topic = topic
      self.group = group
      self.onPoison = onPoison
      self.outputPartitions = outputPartitions
    }
  }

  public let stateKind = StateKind.inventory
  public private(set) var committedCounts = Counts()
  @exclusivity(unchecked) private var counts = Counts()
  /// Events written for each source partition, by its number.
  @exclusivity(unchecked) private var events: [Int64] = []
  private let settings: Settings
  private let time: any TimeSource
  private let decoder = OrderDecoder()
  private let value = ByteBuffer()
  private let headers = ByteBuffer()
  private let letters: DeadLetters
  private let listener: (any EmissionListener)?

  /// - Parameter listener: hears of everything that is emitted.
  public init(_ settings: Settings, time: any TimeSource, listener: (any EmissionListener)? = nil) {
    self.settings = settings
    self.listener = listener
    letters = DeadLetters(topic: settings.topic, group: settings.group)
    self.time = time
  }

  public func restore(partition: Int32, _ record: StateRecord) throws(PipelineError) {
    addEvents(record.proof?.output?.events ?? 0, of: partition)
  }

  public func outputEvents(of partition: Int32) -> Int64 {
    events.indices.contains(Int(partition)) ? events[Int(partition)] : 0
  }

  @inline(__always)
  private func addEvents(_ count: Int64, of partition: Int32) {
    while events.count <= Int(partition) { events.append(0) }
    events[Int(partition)] = events[Int(partition)].saturatingAdd(count)
  }

  public func apply(
    _ batch: RecordBatch, _ range: Range<Int>, to transaction: any Transaction, until pendingBytes: Int
  ) throws(PipelineError) -> Int {
    let now = time.wallMilliseconds
    for index in range {
      guard transaction.pendingBytes < pendingBytes else { return index }
      let record = batch[index]
      guard let poison = decoder.decode(record.value) else {
        try sendItems(of: decoder.order, from: record, at: now, to: transaction)
        continue
      }
      switch settings.onPoison {
      case .fail:
        let partition = TopicPartition(topic: settings.topic, partition: record.partition)
        throw .poison(Coordinates(partition, offset: record.offset), poison)
      case .deadLetter:
        listener?.emits(.deadLetter(of: record, poison))
        if try !letters.send(record, poison, at: now, to: transaction) { counts.truncatedDeadLetters += 1 }
      case .skip: break
      }
      counts.rejected += 1
    }
    return range.upperBound
  }

  private func sendItems(
    of order: DecodedOrder, from record: RecordBatch.View, at now: Int64, to transaction: any Transaction
  ) throws(PipelineError) {
    let partition = Partitioner.partition(key: order.orderID, count: settings.outputPartitions)
    var line = 0
    for item in order.items {
      value.removeAll()
      InventoryEventEncoder.encode(order: order, item: item, into: value)
      headers.removeAll()
      InventoryEventEncoder.sourceHeader(
        topic: settings.topic, partition: record.partition, offset: record.offset, line: line, into: headers)
      let event = OutgoingRecord(
        partition: partition, timestampMs: now, key: order.orderID, value: value.bytes,
        headers: Headers(block: headers.bytes))
      try brokerCall(try transaction.send(event, to: Output.inventory))
      listener?.emits(.event(order, item))
      line += 1
    }
    addEvents(Int64(line), of: record.partition)
    counts.orders += 1
    counts.items += Int64(line)
    if order.isFailed { counts.released += Int64(line) } else { counts.reserved += Int64(line) }
  }

  public func saveState(partition: Int32, to writer: StateWriter) throws(PipelineError) {
    try writer.put(.position) { _ in }
  }

  public func committed() {
    committedCounts = counts
    listener?.committed()
  }

  public func forgetAll() {
    listener?.forgets()
    counts = committedCounts
    events.removeAll(keepingCapacity: true)
  }
}

/// What an `InventoryProjection` emits. Its bytes are lent for the call.
public enum Emission {
  case event(DecodedOrder, DecodedOrder.Item)
  case deadLetter(of: RecordBatch.View, Poison)
}

/// Hears what an `InventoryProjection` does, on its thread.
public protocol EmissionListener: AnyObject {
  /// Written into the open transaction.
  func emits(_ emission: Emission)
  /// All of it is committed.
  func committed()
  /// What was not committed is dropped, and will come again.
  func forgets()
}

/// Writes dead letters: copies of poison records, byte for byte, with headers that say what is wrong and where the record
/// lies. Of a record that the output does not take as a whole, the letter has the start, its size and its digest.
final class DeadLetters {
  /// Of a value, or a key, that is cut.
  static let keptBytes = 1024

  private let topic: String
  private let group: String
  private let headers = ByteBuffer()

  init(topic: String, group: String) {
    self.topic = topic
    self.group = group
  }

  /// - Returns: whether the letter is a whole copy.
  func send(
    _ record: RecordBatch.View, _ poison: Poison, at now: Int64, to transaction: any Transaction
  ) throws(PipelineError) -> Bool {
    let output = InventoryProjection.Output.deadLetters
    headers.removeAll()
    headers.append(record.headers.block)
    appendReason(record, poison)
    var letter = OutgoingRecord(
      partition: record.partition, timestampMs: now, key: record.key, value: record.value,
      headers: Headers(block: headers.bytes))
    let isWhole = transaction.takes(letter, on: output)
    if !isWhole {
      appendOriginal(record)
      letter.value = record.value.map(Self.start)
      letter.headers = Headers(block: headers.bytes)
      if !transaction.takes(letter, on: output) {
        // Then it is the key or the record's own headers that are too large.
        headers.removeAll()
        appendReason(record, poison)
        appendOriginal(record)
        if let key = record.key { Headers.append(name: "original-key-size", text: "\(key.count)", to: headers) }
        letter.key = record.key.map(Self.start)
        letter.headers = Headers(block: headers.bytes)
      }
    }
    try brokerCall(try transaction.send(letter, to: output))
    return isWhole
  }

  private func appendReason(_ record: RecordBatch.View, _ poison: Poison) {
    Headers.append(name: "error-code", text: poison.code, to: headers)
    Headers.append(name: "error-message", text: poison.message, to: headers)
    Headers.append(name: "source", text: "\(topic)/\(record.partition)/\(record.offset)", to: headers)
    Headers.append(name: "source-group", text: group, to: headers)
  }

  /// What tells whether a copy found elsewhere is the record: of a tombstone there is nothing to tell.
  private func appendOriginal(_ record: RecordBatch.View) {
    guard let value = record.value else { return }
    Headers.append(name: "original-size", text: "\(value.count)", to: headers)
    Headers.append(name: "original-sha256", text: Digest(of: value).description, to: headers)
  }

  private static func start(of bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes.prefix(keptBytes))
  }
}
