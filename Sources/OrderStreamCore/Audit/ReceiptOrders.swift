/// Makes the orders of a run again, to say which order a record was, or must be.
final class ReceiptOrders {
  /// Numbers that are looked at for one chunk: it holds a thousand of one partition.
  private static let searchLimit: Int64 = 50_000_000

  private let receipt: Receipt
  private let options: OrderGenerator.Options
  private var generator: OrderGenerator
  private let made = ByteBuffer()
  private let id = ByteBuffer()
  private let decoder = OrderDecoder()
  private var unplaced: (partition: Int, ids: Set<String>)?
  private var last: (partition: Int, chunk: Int, numbers: [Int64]?)?

  /// - Returns: `nil` for a run whose lines somebody else has written.
  init?(_ receipt: Receipt) {
    guard let options = receipt.head.orders else { return nil }
    self.receipt = receipt
    self.options = options
    generator = OrderGenerator(options)
  }

  /// The numbers of a chunk's orders, in the order of its offsets; `nil` when they cannot be told: it holds not exactly those
  /// from its first to its last that belong into its partition.
  func numbers(partition: Int, chunk: Int) -> [Int64]? {
    if let last, last.partition == partition, last.chunk == chunk { return last.numbers }
    let numbers = findNumbers(partition, receipt.partitions[partition].chunks[chunk])
    last = (partition, chunk, numbers)
    return numbers
  }

  private func findNumbers(_ partition: Int, _ chunk: Receipt.Chunk) -> [Int64]? {
    guard let orders = chunk.orders, orders.lowerBound >= options.firstOrder,
      orders.upperBound - options.firstOrder < options.count,
      orders.upperBound - orders.lowerBound < Self.searchLimit
    else { return nil }
    var numbers: [Int64] = []
    for number in orders {
      id.removeAll()
      id.append(OrderNumber.prefix)
      JSONWriter.appendDigits(UInt64(number), atLeast: OrderNumber.leastDigits, to: id)
      if Partitioner.partition(key: id.bytes, count: receipt.head.partitionCount) == Int32(partition) {
        numbers.append(number)
      }
    }
    let records = Int(chunk.records)
    if numbers.count == records { return numbers }
    // Some of them have no acknowledgement, or one without an offset.
    let unsure = ((receipt.tail?.failedOrders ?? []) + (receipt.tail?.unknownOrders ?? [])).filter(orders.overlaps)
    numbers.removeAll { number in
      unsure.contains { $0.contains(number) } || isUnplaced(number, partition)
    }
    return numbers.count == records ? numbers : nil
  }

  /// Whether a record is an order that this run has made, whatever became of it.
  func number(of record: RecordBatch.View) -> Int64? {
    guard let key = record.key, let number = OrderNumber.parse(key), number >= options.firstOrder,
      number - options.firstOrder < options.count, isOrder(record, number)
    else { return nil }
    return number
  }

  /// Whether the run was told that an order is in the partition.
  func isAcknowledged(_ number: Int64, partition: Int) -> Bool {
    guard receipt.partitions.indices.contains(partition) else { return false }
    if isUnplaced(number, partition) { return true }
    let chunks = receipt.partitions[partition].chunks
    // Ascending: numbers are in the order of their chunks.
    var (low, high) = (0, chunks.count)
    while low < high {
      let middle = (low + high) / 2
      if (chunks[middle].orders?.lowerBound ?? 0) <= number { low = middle + 1 } else { high = middle }
    }
    guard low > 0, let orders = chunks[low - 1].orders, orders.contains(number) else { return false }
    return numbers(partition: partition, chunk: low - 1)?.contains(number) ?? false
  }

  /// Whether it was acknowledged without an offset.
  private func isUnplaced(_ number: Int64, _ partition: Int) -> Bool {
    if receipt.partitions[partition].withoutOffset.isEmpty { return false }
    if unplaced?.partition != partition {
      unplaced = (partition, Set(receipt.partitions[partition].withoutOffset.compactMap(\.key)))
    }
    return unplaced?.ids.contains(OrderNumber.id(number)) == true
  }

  /// Whether a record is the order of that number, byte for byte. Where event times came from the wall clock, it is made with
  /// the record's own.
  func isOrder(_ record: RecordBatch.View, _ number: Int64) -> Bool {
    guard let key = record.key, let value = record.value else { return false }
    var wall: Int64 = 0
    if options.eventTime == .wallClock {
      guard let time = time(of: record) else { return false }
      wall = time * 1000
    }
    let order = make(number, wallMilliseconds: wall)
    return key.holdsSameBytes(as: order.key(in: made)) && value.holdsSameBytes(as: made.bytes)
  }

  /// The event time of a record, in seconds since 1970; `nil` when it is no order.
  func time(of record: RecordBatch.View) -> Int64? {
    guard decoder.decode(record.value) == nil else { return nil }
    return CivilTime.parse(UnsafeRawBufferPointer(decoder.order.timestamp))?.epochSeconds
  }

  /// What the record of an order must be, in words: whole where that is known.
  func expected(_ number: Int64) -> String {
    if options.eventTime == .wallClock { return OrderNumber.id(number) }
    let order = make(number, wallMilliseconds: 0)
    return AuditFindings.text(key: order.key(in: made), value: made.bytes)
  }

  private func make(_ number: Int64, wallMilliseconds: Int64) -> GeneratedOrder {
    generator.skip(to: number - options.firstOrder)
    return generator.next(wallMilliseconds: wallMilliseconds, into: made)
  }
}
