import CCRC32C
import OrderStreamCore

/// The checksum of a row: CRC32C over its table's tag and the columns that matter, integers little-endian, texts and
/// bytes with their length before them. A row that was altered, or moved to another key, does not fit its seal.
struct RowSeal {
  enum Table: UInt8 {
    case topic = 1
    case partition, batch, group, generation, member, assignment, committed, state, log
  }

  private(set) var value: UInt32 = 0

  init(_ table: Table) { add(Int64(table.rawValue)) }

  mutating func add(_ number: Int64) {
    withUnsafeBytes(of: number.littleEndian) { add(raw: $0) }
  }

  mutating func add(_ text: String?) {
    guard var text else {
      add(-1)
      return
    }
    text.withUTF8 { add(UnsafeRawBufferPointer($0)) }
  }

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    add(Int64(bytes.count))
    add(raw: bytes)
  }

  private mutating func add(raw bytes: UnsafeRawBufferPointer) {
    value = crc32c_extend(value, bytes.baseAddress, bytes.count)
  }

  /// As it is stored and bound.
  var sql: SQLValue { .integer(Int64(value)) }

  /// - Throws: `damaged` when the stored checksum is another one; `coordinates` names the row.
  func check(_ stored: Int64, _ coordinates: @autoclosure () -> String) throws(BrokerError) {
    if stored != Int64(value) {
      throw StorageErrors.damaged(coordinates(), why: "its checksum does not fit: the log was altered")
    }
  }
}

/// Where a batch belongs and what it spans: its checksum covers these and the payload, so a batch that was altered,
/// moved or given other borders does not fit.
struct BatchSeal {
  var topic: Int64
  /// Number of the partition, as users see it.
  var partition: Int32
  var base: Offset
  var count: Int32
  var minTimestamp: Int64
  var maxTimestamp: Int64

  func crc(of payload: UnsafeRawBufferPointer) -> UInt32 {
    var seal = RowSeal(.batch)
    seal.add(topic)
    seal.add(Int64(partition))
    seal.add(base)
    seal.add(Int64(count))
    seal.add(minTimestamp)
    seal.add(maxTimestamp)
    seal.add(payload)
    return seal.value
  }
}
