/// Why a text is not the document that it should be.
public struct MalformedDocument: Error, Hashable, Sendable {
  /// `its topic is missing or wrong`.
  public var why: String
}

/// The members of one object, each of the type that it must have.
struct DocumentFields {
  private let object: DocumentValue

  init(_ object: DocumentValue) { self.object = object }

  private func wrong(_ key: String) -> MalformedDocument { MalformedDocument(why: "its \(key) is missing or wrong") }

  func text(_ key: String) throws(MalformedDocument) -> String {
    guard let text = object[key]?.text else { throw wrong(key) }
    return text
  }

  /// `nil` where it is null.
  func optionalText(_ key: String) throws(MalformedDocument) -> String? {
    object[key] == .null ? nil : try text(key)
  }

  func bool(_ key: String) throws(MalformedDocument) -> Bool {
    guard let bool = object[key]?.bool else { throw wrong(key) }
    return bool
  }

  /// 0 or more.
  func count(_ key: String) throws(MalformedDocument) -> Int64 {
    guard let count = object[key]?.integer, count >= 0 else { throw wrong(key) }
    return count
  }

  func integer(_ key: String) throws(MalformedDocument) -> Int64 {
    guard let integer = object[key]?.integer else { throw wrong(key) }
    return integer
  }

  func unsigned(_ key: String) throws(MalformedDocument) -> UInt64 {
    switch object[key] {
    case .unsigned(let value)?: return value
    case .integer(let value)? where value >= 0: return UInt64(value)
    default: throw wrong(key)
    }
  }

  func number(_ key: String) throws(MalformedDocument) -> Double {
    guard let number = object[key]?.number else { throw wrong(key) }
    return number
  }

  func object(_ key: String) throws(MalformedDocument) -> DocumentValue {
    guard let value = object[key], case .object = value else { throw wrong(key) }
    return value
  }

  func digest(_ key: String) throws(MalformedDocument) -> Digest {
    guard let digest = Digest(hexadecimal: try text(key)) else { throw wrong(key) }
    return digest
  }

  func digests(_ key: String) throws(MalformedDocument) -> [Digest] {
    let texts = object[key]?.elements ?? []
    let digests = texts.compactMap { $0.text.flatMap(Digest.init(hexadecimal:)) }
    guard object[key] != nil, digests.count == texts.count else { throw wrong(key) }
    return digests
  }

  /// `nil` where it is null.
  func optionalCount(_ key: String) throws(MalformedDocument) -> Int64? {
    object[key] == .null ? nil : try count(key)
  }

  /// `[first, last]`, from 0.
  func range(_ key: String) throws(MalformedDocument) -> ClosedRange<Int64> {
    guard let range = object[key].flatMap(Self.range) else { throw wrong(key) }
    return range
  }

  /// A list of `[first, last]`, ascending and apart.
  func ranges(_ key: String) throws(MalformedDocument) -> [ClosedRange<Int64>] {
    guard case .list(let elements)? = object[key] else { throw wrong(key) }
    var ranges: [ClosedRange<Int64>] = []
    ranges.reserveCapacity(elements.count)
    for element in elements {
      guard let range = Self.range(element), range.lowerBound > ranges.last?.upperBound ?? -1 else { throw wrong(key) }
      ranges.append(range)
    }
    return ranges
  }

  private static func range(_ value: DocumentValue) -> ClosedRange<Int64>? {
    let ends = value.elements
    // As many numbers as 64 bits count.
    guard ends.count == 2, let first = ends[0].integer, let last = ends[1].integer, 0 <= first, first <= last,
      last - first < .max
    else { return nil }
    return first...last
  }

  /// In milliseconds since 1970.
  func time(_ key: String) throws(MalformedDocument) -> Int64 {
    var text = try text(key)
    guard let time = text.withUTF8({ CivilTime.parse(UnsafeRawBufferPointer($0)) }) else { throw wrong(key) }
    return time.epochSeconds * 1000
  }
}
