import OrderStreamCore

/// The batches that one connection has left in their rows, until together they are worth a place in a segment. So a topic
/// that gets an order now and then does not grow the database for ever, and removing its start gives room back.
///
/// What a connection has not moved when it closes stays in the rows: it is read there like any other.
final class SmallBatches {
  /// From this many bytes of one topic on they are moved, behind one synchronisation that the commit at hand has anyway.
  static let worthMoving = 256 << 10

  struct Batch {
    /// Key in `batch`.
    let id: Int64
    let topic: Int64
    let bytes: Int
  }

  private var committed: [Int64: [Batch]] = [:]
  private var pending: (added: [Batch], moved: Set<Int64>) = ([], [])

  /// Bytes of a topic that lie in rows.
  func bytes(of topic: Int64) -> Int { committed[topic]?.reduce(0) { $0 + $1.bytes } ?? 0 }

  /// The open transaction has put a batch into its row.
  func note(_ batch: Batch) { pending.added.append(batch) }

  /// Moves a topic's batches behind the end of a segment. What was removed or moved since is passed over.
  /// - Parameter segment: Takes them; its row is the caller's to save.
  static func move(_ topic: Int64, to segment: inout SegmentRow, _ scope: WriteScope) throws {
    let small = scope.small
    let bytes = ByteBuffer(capacity: small.bytes(of: topic))
    var places: [(id: Int64, range: Range<Int>)] = []
    for batch in small.committed[topic] ?? [] {
      try scope.run("SELECT payload FROM batch WHERE id = ? AND segment IS NULL", [.integer(batch.id)]) { query in
        let start = bytes.count
        bytes.append(query.bytes(0))
        places.append((batch.id, start..<bytes.count))
      }
    }
    try scope.segments.append([bytes.bytes], to: segment)
    for (id, range) in places {
      try scope.run(
        "UPDATE batch SET payload = x'', segment = ?, position = ?, bytes = ? WHERE id = ?",
        [
          .integer(segment.id), .integer(segment.length + Int64(range.lowerBound)), .integer(Int64(range.count)),
          .integer(id),
        ])
    }
    segment.length += Int64(bytes.count)
    segment.batches += Int64(places.count)
    small.pending.moved.insert(topic)
  }

  /// The transaction is committed.
  func keep() {
    for topic in pending.moved { committed[topic] = nil }
    for batch in pending.added { committed[batch.topic, default: []].append(batch) }
    discard()
  }

  /// It is not.
  func discard() { pending = ([], []) }
}
