import OrderStreamCore

/// The lines of `produce --input`: orders, published as they are and keyed by their `order_id`, or with `--exact` records
/// that are published to the byte. Names the lines that are neither, the first twenty, and counts the rest; an input that
/// begins with nothing but such lines is another kind of file, and refused as a whole.
final class InputOrders: OrderSource {
  /// An order must be among as many lines that are not blank.
  private static let trialLines: Int64 = 100

  struct Counts {
    /// Orders that were handed out.
    var valid: Int64 = 0
    var rejected: Int64 = 0
  }

  let reader: LineReader
  /// What messages call the input.
  let name: String
  /// Hears of each line that is handed out, and of what becomes of it; `nil` where nothing is published.
  var inFlight: LinesInFlight?
  /// Partitions of the topic that records are copied into; lines of others are refused.
  var partitionLimit: Int32?
  private let path: String
  private let context: CommandContext
  /// Whether lines are records and no orders.
  private let isExact: Bool
  private let decoder = OrderDecoder()
  /// The record of the line in hand, with `isExact`.
  private var record: ExactRecord?
  private(set) var counts = Counts()
  /// Of the line in hand, from 1; blank lines count.
  private var number: Int64 = 0
  private var line = UnsafeRawBufferPointer(start: nil, count: 0)
  private var isInHand = false
  private var hasLookedForFirst = false
  /// Lines that are not what is wanted, before the first one that is, and why.
  private var heldBack: [(line: Int64, why: String)] = []

  /// - Parameter digests: whether the bytes are digested.
  init(_ path: String, isExact: Bool, digests: Bool = false, _ context: CommandContext) throws {
    self.path = path
    self.isExact = isExact
    self.context = context
    name = path == "-" ? "stdin" : path
    reader = try LineReader(
      path, longest: isExact ? ExactRecord.longestLine : Poison.longestValue, digests: digests)
  }

  /// So far, blank ones and those that are no orders too.
  var linesRead: Int64 { number }

  /// Of the topic that the records were read from, as the line in hand says.
  var partitionCount: Int32? { record?.partitionCount }

  /// Reads up to the first order. Nothing need be opened for an input that has none.
  /// - Throws: `data` when the input is another kind of file.
  func findFirst() throws {
    if hasLookedForFirst { return }
    hasLookedForFirst = true
    isInHand = try read()
    if isInHand || context.stop.isRequested { return }
    if counts.rejected == 0 {
      context.console.note("there is nothing to publish: \(name) \(number == 0 ? "is empty" : "has only blank lines")")
    } else if let format = ForeignFormat(reader.head) {
      throw noOrders("\(name) is \(format.name)", format)
    }
  }

  /// A pipe may be silent for long.
  var mayKeepWaiting: Bool { true }

  func advance() throws -> Bool {
    try findFirst()
    while true {
      if !isInHand { isInHand = try read() }
      // The first line is read before there is a topic.
      guard isInHand, let record, let partitionLimit, record.partition >= partitionLimit else { return isInHand }
      isInHand = false
      try reject("it is of partition \(record.partition), and the topic has \(partitionLimit)")
    }
  }

  func take(sequence: Int64, wallMilliseconds: Int64) -> SourceOrder {
    if counts.valid == 0 { nameHeldBack(othersGoThrough: true) }
    counts.valid += 1
    isInHand = false
    inFlight?.add(sequence, line: number, line)
    if let record {
      let isFailed = decoder.decode(record.value?.bytes) == nil && decoder.order.isFailed
      return SourceOrder(
        exact: OutgoingRecord(
          partition: record.partition, timestampMs: record.timestampMs, key: record.key?.bytes,
          value: record.value?.bytes, headers: Headers(block: record.headers.bytes)), isFailed: isFailed)
    }
    return SourceOrder(key: decoder.order.orderID, value: line, isFailed: decoder.order.isFailed)
  }

  func note(_ reports: RecordReports) throws { try inFlight?.take(reports) }

  /// The line of the order in hand, which was not handed out.
  var lineInHand: UnsafeRawBufferPointer? { isInHand ? line : nil }

  /// Says what was not said yet of lines that are not orders. To be called once, at the end.
  func reportRest() {
    nameHeldBack(othersGoThrough: false)
    let rest = counts.rejected - Console.namedErrors
    if rest > 0 { context.console.reportMore(rest, "lines of \(name) are not \(isExact ? "records" : "orders")") }
  }

  /// Reads up to the next line that is an order; `false` at the end, and once a signal requests a stop.
  private func read() throws -> Bool {
    while !context.stop.isRequested, let next = try reader.next() {
      number += 1
      switch next {
      case .tooLong:
        try reject(isExact ? "it is longer than \(ExactRecord.longestLine >> 20) MiB" : Poison.tooLong.reason)
      case .text(let bytes):
        if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { continue }
        guard let fault = fault(bytes) else {
          line = bytes
          return true
        }
        try reject(fault)
      }
    }
    return false
  }

  /// Takes a line in; returns why it is not what is wanted.
  private func fault(_ line: UnsafeRawBufferPointer) -> String? {
    guard isExact else { return decoder.decode(line).map(\.reason) }
    do { record = try ExactRecord(parsing: line) } catch { return error.why }
    return nil
  }

  private func reject(_ why: String) throws {
    counts.rejected += 1
    if counts.valid > 0 {
      if counts.rejected <= Console.namedErrors { name(number, why, othersGoThrough: true) }
    } else {
      if counts.rejected <= Console.namedErrors { heldBack.append((number, why)) }
      if counts.rejected == Self.trialLines {
        let format = ForeignFormat(reader.head)
        let first = heldBack[0]
        let why =
          "none of its first \(Self.trialLines) lines is \(isExact ? "a record" : "an order"); "
          + (format.map { "it is \($0.name)" } ?? "line \(first.line): \(first.why)")
        throw noOrders(why, format)
      }
    }
  }

  private func noOrders(_ why: String, _ format: ForeignFormat?) -> CommandError {
    let remedy =
      format.map { "convert it to JSON lines first: \($0.command(for: path))" }
      ?? (isExact
        ? "each line must be one record, as `orderstream tail --exact` prints them"
        : "each line must be one order, as `orderstream produce --dry-run --events 3` prints them")
    return CommandError(.data, "nothing of \(name) is published", why: why, remedy: remedy)
  }

  private func nameHeldBack(othersGoThrough: Bool) {
    for held in heldBack { name(held.line, held.why, othersGoThrough: othersGoThrough) }
    heldBack.removeAll()
  }

  private func name(_ line: Int64, _ why: String, othersGoThrough: Bool) {
    context.console.report(
      CommandError(
        .data, "cannot publish line \(line) of \(name)", why: why,
        remedy: othersGoThrough
          ? "the other \(isExact ? "records" : "orders") go through; correct it and publish it alone"
          : "correct it and run the same command again"
      ),
      endsRun: false)
  }
}

extension Poison {
  /// In words, with its code.
  fileprivate var reason: String { "\(message) (\(code))" }
}

/// A kind of file that is not made of JSON lines, as far as its first bytes tell, and the command that makes them of it.
struct ForeignFormat {
  /// With its article: `a gzip file`.
  let name: String
  private let converter: String

  /// - Parameter head: The first bytes of the input.
  /// - Returns: `nil` when they tell nothing.
  init?(_ head: [UInt8]) {
    guard let found = Self.packed(head) ?? Self.text(head) else { return nil }
    (name, converter) = found
  }

  private static func packed(_ head: [UInt8]) -> (String, String)? {
    let signatures: [([UInt8], name: String, converter: String)] = [
      ([0x1F, 0x8B], "a gzip file", "gzip -dc"),
      ([0x28, 0xB5, 0x2F, 0xFD], "a zstd file", "zstd -dc"),
      ([0x42, 0x5A, 0x68], "a bzip2 file", "bzip2 -dc"),
      ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "an xz file", "xz -dc"),
      ([0xFF, 0xFE], "UTF-16 text", "iconv -f UTF-16 -t UTF-8"),
      ([0xFE, 0xFF], "UTF-16 text", "iconv -f UTF-16 -t UTF-8"),
      ([0x7B, 0x00], "UTF-16 text", "iconv -f UTF-16LE -t UTF-8"),
      ([0x00, 0x7B], "UTF-16 text", "iconv -f UTF-16BE -t UTF-8"),
    ]
    return signatures.first { head.starts(with: $0.0) }.map { ($0.name, $0.converter) }
  }

  private static func text(_ head: [UInt8]) -> (String, String)? {
    let first = head.drop { $0 <= 0x20 }.prefix { $0 != 0x0A }
    guard let start = first.first, !first.contains(where: { $0 < 0x20 && $0 != 0x09 && $0 != 0x0D }) else { return nil }
    switch start {
    case UInt8(ascii: "["): return ("a JSON array", "jq -c '.[]'")
    case UInt8(ascii: "{"):
      return first.dropFirst().allSatisfy { $0 <= 0x20 } ? ("JSON over several lines", "jq -c .") : nil
    default: break
    }
    let separators: [(UInt8, String, String)] = [
      (UInt8(ascii: "\t"), "tab-separated text", "mlr --itsv --ojsonl cat"),
      (UInt8(ascii: ";"), "a CSV file", "mlr --icsv --ifs ';' --ojsonl cat"),
      (UInt8(ascii: ","), "a CSV file", "mlr --icsv --ojsonl cat"),
    ]
    return separators.first { first.contains($0.0) }.map { ($0.1, $0.2) }
  }

  /// The command line that publishes the file of this kind.
  func command(for path: String) -> String {
    if path == "-" { return "… | \(converter) | orderstream produce --input -" }
    let plain = path.utf8.allSatisfy {
      switch $0 {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2F, 0x2E, 0x5F: true
      case 0x2D: path.utf8.first != 0x2D
      default: $0 >= 0x80
      }
    }
    let quoted =
      plain
      ? path : "'" + path.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
    return "\(converter) \(path.hasPrefix("-") ? "./" : "")\(quoted) | orderstream produce --input -"
  }
}
