/// Finds the exact reason why a value is not one JSON text. Runs only after the fast parser has refused it: the parser's
/// own error codes mix several reasons and differ between its versions.
struct JSONDiagnosis {
  private let bytes: UnsafeRawBufferPointer
  private var position = 0

  private init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// The first fault in the order that `Poison` documents; `nil` when this is one valid JSON text.
  static func firstFault(in bytes: UnsafeRawBufferPointer) -> Poison? {
    if isForeignEncoding(bytes) { return .encoding }
    guard UTF8Text.isValid(bytes) else {
      return .invalidUTF8
    }
    var diagnosis = JSONDiagnosis(bytes)
    return diagnosis.scan()
  }

  /// A byte-order mark, or zero bytes where UTF-16 and UTF-32 have them: a JSON text begins with an ASCII character.
  private static func isForeignEncoding(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let marks: [[UInt8]] = [[0xef, 0xbb, 0xbf], [0xfe, 0xff], [0xff, 0xfe], [0, 0, 0xfe, 0xff]]
    if marks.contains(where: { bytes.starts(with: $0) }) { return true }
    if bytes.count % 4 == 0, bytes.prefix(4).elementsEqual([0, 0, 0, UInt8(ascii: "{")]) { return true }
    return bytes.count >= 2 && bytes.count % 2 == 0 && (bytes[0] == 0) != (bytes[1] == 0)
  }

  private mutating func scan() -> Poison? {
    // What closes each array and object that is open.
    var closers: [UInt8] = []
    while true {
      switch value(&closers) {
      case .fault(let poison): return poison
      case .opened: continue
      case .complete: break
      }
      // After a value: close what ends here, or go on behind a comma.
      after: while true {
        skipSpace()
        guard let closer = closers.last else { return position == bytes.count ? nil : .trailingBytes }
        guard let byte = take() else { return .notJSON }
        if byte == closer {
          closers.removeLast()
          continue
        }
        guard byte == UInt8(ascii: ",") else { return .notJSON }
        if closer == UInt8(ascii: "}"), let fault = key() { return fault }
        break after
      }
    }
  }

  private enum Step {
    /// A container began, and its first element comes next.
    case opened
    /// A scalar has been read, or an empty container is about to end.
    case complete
    case fault(Poison)
  }

  private mutating func value(_ closers: inout [UInt8]) -> Step {
    skipSpace()
    switch peek() {
    case UInt8(ascii: "{"): return open(UInt8(ascii: "}"), &closers)
    case UInt8(ascii: "["): return open(UInt8(ascii: "]"), &closers)
    case UInt8(ascii: "\""): return string().map(Step.fault) ?? .complete
    case UInt8(ascii: "t"): return literal("true")
    case UInt8(ascii: "f"): return literal("false")
    case UInt8(ascii: "n"): return literal("null")
    case .some: return number().map(Step.fault) ?? .complete
    case .none: return .fault(.notJSON)
    }
  }

  private mutating func open(_ closer: UInt8, _ closers: inout [UInt8]) -> Step {
    position += 1
    closers.append(closer)
    if closers.count > Poison.deepestNesting { return .fault(.nesting) }
    skipSpace()
    if peek() == closer { return .complete }
    if closer == UInt8(ascii: "}"), let fault = key() { return .fault(fault) }
    return .opened
  }

  /// A key and its colon.
  private mutating func key() -> Poison? {
    skipSpace()
    guard peek() == UInt8(ascii: "\"") else { return .notJSON }
    if let fault = string() { return fault }
    skipSpace()
    return take() == UInt8(ascii: ":") ? nil : .notJSON
  }

  private mutating func literal(_ text: StaticString) -> Step {
    for index in 0..<text.utf8CodeUnitCount where take() != text.utf8Start[index] { return .fault(.notJSON) }
    return isDelimited ? .complete : .fault(.notJSON)
  }

  private mutating func string() -> Poison? {
    position += 1
    while let byte = take() {
      switch byte {
      case UInt8(ascii: "\""): return nil
      case UInt8(ascii: "\\"): if let fault = escape() { return fault }
      case 0..<0x20: return .notJSON
      default: break
      }
    }
    return .notJSON
  }

  private mutating func escape() -> Poison? {
    guard let byte = take() else { return .notJSON }
    guard byte == UInt8(ascii: "u") else { return "\"\\/bfnrt".utf8.contains(byte) ? nil : .notJSON }
    guard let unit = hexadecimal() else { return .notJSON }
    if UTF16.isTrailSurrogate(unit) { return .loneSurrogate }
    guard UTF16.isLeadSurrogate(unit) else { return nil }
    guard take() == UInt8(ascii: "\\"), take() == UInt8(ascii: "u") else { return .loneSurrogate }
    guard let other = hexadecimal() else { return .notJSON }
    return UTF16.isTrailSurrogate(other) ? nil : .loneSurrogate
  }

  private mutating func hexadecimal() -> UInt16? {
    var unit: UInt16 = 0
    for _ in 0..<4 {
      guard let byte = take(), let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
      unit = unit << 4 | UInt16(digit)
    }
    return unit
  }

  /// A number: its grammar, then its range.
  private mutating func number() -> Poison? {
    let start = position
    let isNegative = skip(UInt8(ascii: "-"))
    let firstDigit = position
    guard skipDigits() else { return .notJSON }
    if bytes[firstDigit] == UInt8(ascii: "0"), position - firstDigit > 1 { return .notJSON }
    let integer = bytes[firstDigit..<position]
    var isInteger = true
    if skip(UInt8(ascii: ".")) {
      isInteger = false
      guard skipDigits() else { return .notJSON }
    }
    if skip(UInt8(ascii: "e")) || skip(UInt8(ascii: "E")) {
      isInteger = false
      if !skip(UInt8(ascii: "+")) { _ = skip(UInt8(ascii: "-")) }
      guard skipDigits() else { return .notJSON }
    }
    guard isDelimited else { return .notJSON }
    if isInteger {
      let magnitude = UInt64(String(decoding: integer, as: UTF8.self))
      let limit = isNegative ? UInt64(Int64.min.magnitude) : UInt64.max
      return magnitude.map { $0 <= limit } ?? false ? nil : .numberRange
    }
    let value = Double(String(decoding: bytes[start..<position], as: UTF8.self))
    return value.map(\.isFinite) ?? false ? nil : .numberRange
  }

  /// Whether a number or a literal may end here.
  private var isDelimited: Bool {
    guard let byte = peek() else { return true }
    return " \t\r\n,]}".utf8.contains(byte)
  }

  private mutating func skipDigits() -> Bool {
    let start = position
    while let byte = peek(), byte &- 48 <= 9 { position += 1 }
    return position > start
  }

  private mutating func skip(_ byte: UInt8) -> Bool {
    guard peek() == byte else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while let byte = peek(), byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { position += 1 }
  }

  private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func take() -> UInt8? {
    guard let byte = peek() else { return nil }
    position += 1
    return byte
  }
}
