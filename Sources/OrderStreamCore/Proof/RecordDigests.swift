internal import CCrypto

/// A SHA-256 of FIPS 180-4.
public struct Digest: Hashable, Sendable, CustomStringConvertible {
  /// 32 of them.
  public let bytes: [UInt8]

  fileprivate init(bytes: [UInt8]) { self.bytes = bytes }

  public init(of bytes: UnsafeRawBufferPointer) {
    var digest = [UInt8](repeating: 0, count: Self.byteCount)
    _ = SHA256(bytes.assumingMemoryBound(to: UInt8.self).baseAddress, bytes.count, &digest)
    self.bytes = digest
  }

  /// - Parameter text: 64 hexadecimal digits; `nil` for anything else.
  public init?(hexadecimal text: String) {
    let digits = text.utf8.compactMap { Self.value($0) }
    guard text.utf8.count == 2 * Self.byteCount, digits.count == text.utf8.count else { return nil }
    bytes = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  private static let byteCount = Int(SHA256_DIGEST_LENGTH)
  private static let digits = Array("0123456789abcdef".utf8)

  private static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// 64 lower-case hexadecimal digits.
  public var description: String {
    String(decoding: bytes.flatMap { [Self.digits[Int($0 >> 4)], Self.digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}

/// The digests of a partition's records, one for each chunk of them in offset order; the last chunk may be shorter.
///
/// A chunk's digest is the SHA-256 of its records one after the other, each as
/// `i64 key length | key | i64 value length | value`, integers little-endian, a length of −1 for no key and for a
/// tombstone. Offsets, timestamps and headers are no part of it, so that an exact copy on another broker has the same.
/// `docs/certificate.md` is the specification.
public struct RecordDigests {
  /// Of each chunk but the last.
  public static let chunkRecords: Int64 = 1000
  /// Bytes that are collected before they are digested: a call a record would cost as much as the digest.
  private static let flushBytes = 64 << 10

  /// Of whole chunks; after `finish` of the last one too.
  public private(set) var digests: [Digest] = []
  public private(set) var records: Int64 = 0
  private let pending = ByteBuffer(capacity: RecordDigests.flushBytes)
  private let hash = IncrementalHash()

  public init() {}

  /// Records of the chunk that is not whole yet.
  public var openRecords: Int64 { records % Self.chunkRecords }

  /// - Returns: The digest of the chunk that this record completes.
  public mutating func add(key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?) -> Digest? {
    append(key)
    append(value)
    records += 1
    if pending.count >= Self.flushBytes { flush() }
    return openRecords == 0 ? close() : nil
  }

  /// Ends the last chunk.
  /// - Returns: Its digest; `nil` when the last one is whole, or there is none.
  public mutating func finish() -> Digest? { openRecords == 0 ? nil : close() }

  private func append(_ bytes: UnsafeRawBufferPointer?) {
    pending.append(littleEndian: bytes.map { Int64($0.count) } ?? -1)
    if let bytes { pending.append(bytes) }
  }

  private func flush() {
    hash.add(pending.bytes)
    pending.removeAll()
  }

  private mutating func close() -> Digest {
    flush()
    let digest = hash.finish()
    digests.append(digest)
    return digest
  }
}

/// Owns a hash of libcrypto that grows, one after the other. Used by one thread.
private final class IncrementalHash {
  private let context: OpaquePointer

  init() {
    guard let context = EVP_MD_CTX_new() else { preconditionFailure("there is no memory for a hash") }
    self.context = context
    begin()
  }

  deinit { EVP_MD_CTX_free(context) }

  private func begin() {
    guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
      preconditionFailure("libcrypto has SHA-256 in every configuration")
    }
  }

  func add(_ bytes: UnsafeRawBufferPointer) {
    if EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) != 1 { preconditionFailure("a hash takes any bytes") }
  }

  /// The digest of what was added, and the begin of the next one.
  func finish() -> Digest {
    var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
    if EVP_DigestFinal_ex(context, &digest, nil) != 1 { preconditionFailure("a hash has an end") }
    begin()
    return Digest(bytes: digest)
  }
}
