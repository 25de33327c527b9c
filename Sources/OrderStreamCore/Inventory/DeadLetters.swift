internal import CCrypto

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
    Headers.append(name: "original-sha256", text: Self.sha256(value), to: headers)
  }

  private static func start(of bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes.prefix(keptBytes))
  }

  /// In 64 lower-case hexadecimal digits.
  private static func sha256(_ bytes: UnsafeRawBufferPointer) -> String {
    var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
    _ = SHA256(bytes.assumingMemoryBound(to: UInt8.self).baseAddress, bytes.count, &digest)
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
