import OrderStreamCore

/// Reads the assignment of a consumer group's member as Kafka's consumer protocol writes it: version (2 bytes), then for
/// each topic its name and its partitions; integers big-endian, sizes from the network and therefore not trusted.
struct GroupAssignment {
  /// Sorted. Empty when the bytes are of another protocol or damaged.
  let partitions: [TopicPartition]

  init(_ bytes: [UInt8]) {
    var reader = Reader(rest: bytes[...])
    partitions = (try? reader.assignment()) ?? []
  }

  private struct Damaged: Error {}

  private struct Reader {
    var rest: ArraySlice<UInt8>

    mutating func assignment() throws(Damaged) -> [TopicPartition] {
      _ = try integer(2)
      var found: [TopicPartition] = []
      for _ in 0..<(try count(ofAtLeast: 6)) {
        let length = try integer(2)
        guard length >= 0 else { throw Damaged() }
        let topic = String(decoding: try take(length), as: UTF8.self)
        for _ in 0..<(try count(ofAtLeast: 4)) {
          found.append(TopicPartition(topic: topic, partition: Int32(truncatingIfNeeded: try integer(4))))
        }
      }
      return found.sorted()
    }

    /// The length of an array whose elements have at least `size` bytes, so that a wrong one ends the reading at once.
    mutating func count(ofAtLeast size: Int) throws(Damaged) -> Int {
      let count = try integer(4)
      guard count >= 0, count * size <= rest.count else { throw Damaged() }
      return count
    }

    mutating func integer(_ size: Int) throws(Damaged) -> Int {
      let bits = try take(size).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      return Int(Int64(bitPattern: bits << (64 - UInt64(size) * 8)) >> (64 - Int64(size) * 8))
    }

    mutating func take(_ count: Int) throws(Damaged) -> ArraySlice<UInt8> {
      guard count <= rest.count else { throw Damaged() }
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count)
    }
  }
}
