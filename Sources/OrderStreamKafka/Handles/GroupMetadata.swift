import CRdKafka

/// Owns one `rd_kafka_consumer_group_metadata_t`: who a member is in one generation of its group. A transaction is
/// fenced by it, so it is taken when partitions are assigned and not when a transaction commits: a member that has lost
/// its session would by then say "generation −1", which a coordinator accepts from anybody.
final class GroupMetadata: @unchecked Sendable {
  // Sendable: the object behind `pointer` never changes.
  let pointer: OpaquePointer

  /// `nil` before the group is known.
  init?(of client: NativeClient) {
    guard let pointer = rd_kafka_consumer_group_metadata(client.pointer) else { return nil }
    self.pointer = pointer
  }

  deinit { rd_kafka_consumer_group_metadata_destroy(pointer) }

  /// −1 outside of a group's generation.
  var generation: Int32 {
    let told = orderstream_rd_kafka_generation(pointer)
    return told == Int32.min ? serializedGeneration : told
  }

  /// For versions of librdkafka that tell nobody but themselves.
  private var serializedGeneration: Int32 {
    var bytes: UnsafeMutableRawPointer?
    var size = 0
    if let error = rd_kafka_consumer_group_metadata_write(pointer, &bytes, &size) {
      rd_kafka_error_destroy(error)
      return -1
    }
    guard let bytes else { return -1 }
    defer { rd_kafka_mem_free(nil, bytes) }
    // The serialised form is "CGMDv2:", then the generation in the machine's byte order.
    let magic = Array("CGMDv2:".utf8)
    let all = UnsafeRawBufferPointer(start: bytes, count: size)
    guard size >= magic.count + 4, all.prefix(magic.count).elementsEqual(magic) else { return -1 }
    return all.loadUnaligned(fromByteOffset: magic.count, as: Int32.self)
  }
}
