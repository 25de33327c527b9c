import OrderStreamCore

/// Takes records out of the payload of one stored batch, laid out as in `RecordChunk`.
struct BatchUnpacker {
  let payload: UnsafeRawBufferPointer
  let partition: Int32
  let base: Offset
  let count: Int32

  private struct Header {
    var timestamp: Int64
    var key: Int32
    var value: Int32
    var headers: Int32

    var bodyBytes: Int { Int(max(key, 0)) + Int(max(value, 0)) + Int(headers) }
  }

  /// Copies records from offset `next` on into `batch` as long as it has room, their bytes in one piece, and returns the
  /// offset after the last one.
  /// - Parameter coordinates: names an offset, for the error.
  /// - Throws: `damaged` when the payload is not laid out as it must be.
  func unpack(
    from next: Offset, into batch: RecordBatch, coordinates: (Offset) -> String
  ) throws(BrokerError) -> Offset {
    let roomBytes = batch.byteLimit - batch.byteCount
    let roomRecords = batch.recordLimit - batch.count
    if next == base && Int(count) <= roomRecords && payload.count <= roomBytes {
      let end = try addEntries(
        from: 0, offset: base, count: Int(count), at: batch.appendBytes(payload), batch, coordinates)
      guard end == payload.count else { throw malformed(base, coordinates) }
      return base + Int64(count)
    }
    // A part of the batch: find the first byte and the last one, then copy what is between.
    var start = 0
    for offset in base..<next {
      let header = try header(at: start, offset, coordinates)
      start += RecordChunk.headerBytes + header.bodyBytes
    }
    var end = start
    var taken = 0
    while taken < roomRecords && next + Int64(taken) < base + Int64(count) {
      let header = try header(at: end, next + Int64(taken), coordinates)
      let size = RecordChunk.headerBytes + header.bodyBytes
      // One that is larger than the whole batch still goes in, alone.
      if end + size - start > roomBytes && !(taken == 0 && batch.isEmpty) { break }
      end += size
      taken += 1
    }
    if taken == 0 { return next }
    let arena = batch.appendBytes(UnsafeRawBufferPointer(rebasing: payload[start..<end]))
    _ = try addEntries(from: start, offset: next, count: taken, at: arena - start, batch, coordinates)
    return next + Int64(taken)
  }

  /// - Parameter arena: where byte 0 of the payload is, or would be, in the batch's arena.
  /// - Returns: the byte after the last record.
  private func addEntries(
    from start: Int, offset: Offset, count: Int, at arena: Int, _ batch: RecordBatch, _ coordinates: (Offset) -> String
  ) throws(BrokerError) -> Int {
    var at = start
    for index in 0..<count {
      let header = try header(at: at, offset + Int64(index), coordinates)
      let start = at + RecordChunk.headerBytes
      batch.append(
        partition: partition, offset: offset + Int64(index), timestampMs: header.timestamp, start: arena + start,
        keyLength: header.key, valueLength: header.value, headersLength: header.headers)
      at = start + header.bodyBytes
    }
    return at
  }

  @inline(__always)
  private func header(
    at position: Int, _ offset: Offset, _ coordinates: (Offset) -> String
  ) throws(BrokerError) -> Header {
    guard position + RecordChunk.headerBytes <= payload.count else { throw malformed(offset, coordinates) }
    let header = Header(
      timestamp: Int64(littleEndian: payload.loadUnaligned(fromByteOffset: position, as: Int64.self)),
      key: Int32(littleEndian: payload.loadUnaligned(fromByteOffset: position + 8, as: Int32.self)),
      value: Int32(littleEndian: payload.loadUnaligned(fromByteOffset: position + 12, as: Int32.self)),
      headers: Int32(littleEndian: payload.loadUnaligned(fromByteOffset: position + 16, as: Int32.self)))
    guard header.key >= -1, header.value >= -1, header.headers >= 0,
      position + RecordChunk.headerBytes + header.bodyBytes <= payload.count
    else { throw malformed(offset, coordinates) }
    if header.headers > 0 {
      let end = position + RecordChunk.headerBytes + header.bodyBytes
      guard Headers.isWellFormed(UnsafeRawBufferPointer(rebasing: payload[end - Int(header.headers)..<end])) else {
        throw malformed(offset, coordinates)
      }
    }
    return header
  }

  private func malformed(_ offset: Offset, _ coordinates: (Offset) -> String) -> BrokerError {
    StorageErrors.damaged(coordinates(offset), why: "the batch is not laid out as a batch: the log was altered")
  }
}
