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
    Self.append(key: key, value: value, to: pending)
    records += 1
    if pending.count >= Self.flushBytes { flush() }
    return openRecords == 0 ? close() : nil
  }

  /// Ends the last chunk.
  /// - Returns: Its digest; `nil` when the last one is whole, or there is none.
  public mutating func finish() -> Digest? { openRecords == 0 ? nil : close() }

  /// Appends a record as it is digested: key and value, each behind its length.
  @inline(__always)
  static func append(
    key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?, to buffer: ByteBuffer
  ) {
    buffer.append(littleEndian: key.map { Int64($0.count) } ?? -1)
    if let key { buffer.append(key) }
    buffer.append(littleEndian: value.map { Int64($0.count) } ?? -1)
    if let value { buffer.append(value) }
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

extension Digest {
  /// Of one record, as `RecordDigests` digests it.
  public init(key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?) {
    let record = ByteBuffer(capacity: 16 + (key?.count ?? 0) + (value?.count ?? 0))
    RecordDigests.append(key: key, value: value, to: record)
    self.init(of: record.bytes)
  }
}

/// The digest of records one after the other, as many as the caller likes, digested as in `RecordDigests`.
public final class RecordHash {
  /// As in `RecordDigests`, but small at first: there may be many of these.
  private static let flushBytes = 16 << 10

  private let pending = ByteBuffer(capacity: 512)
  private let hash = IncrementalHash()
  /// Since the last `finish`.
  public private(set) var records: Int64 = 0

  public init() {}

  public func add(key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?) {
    RecordDigests.append(key: key, value: value, to: pending)
    records += 1
    if pending.count >= Self.flushBytes { flush() }
  }

  /// The digest of what was added, and the begin of the next one.
  public func finish() -> Digest {
    flush()
    records = 0
    return hash.finish()
  }

  private func flush() {
    hash.add(pending.bytes)
    pending.removeAll()
  }
}

/// Owns a hash of libcrypto that grows, one after the other. Used by one thread.
public final class IncrementalHash {
  private let context: OpaquePointer

  public init() {
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

  public func add(_ bytes: UnsafeRawBufferPointer) {
    if EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) != 1 { preconditionFailure("a hash takes any bytes") }
  }

  /// The digest of what was added, and the begin of the next one.
  public func finish() -> Digest {
    let digest = Self.final(context)
    begin()
    return digest
  }

  /// The digest of what was added so far; the hash goes on.
  public var soFar: Digest {
    guard let copy = EVP_MD_CTX_new(), EVP_MD_CTX_copy_ex(copy, context) == 1 else {
      preconditionFailure("there is no memory for a hash")
    }
    defer { EVP_MD_CTX_free(copy) }
    return Self.final(copy)
  }

  private static func final(_ context: OpaquePointer) -> Digest {
    var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
    if EVP_DigestFinal_ex(context, &digest, nil) != 1 { preconditionFailure("a hash has an end") }
    return Digest(bytes: digest)
  }
}
