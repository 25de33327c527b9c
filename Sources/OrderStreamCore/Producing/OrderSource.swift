/// Where the orders of a run come from, one after the other: the generator, or lines that somebody else has written.
/// A class, so that the publisher calls it without a copy or an allocation for each order.
public protocol OrderSource: AnyObject {
  /// Whether an order may be long in coming, so that the clock is read for each one.
  var mayKeepWaiting: Bool { get }

  /// Takes the next order in hand, unless one is.
  /// - Returns: `false` when there are no more, and when a request to stop ended the wait for one.
  func advance() throws -> Bool

  /// Hands out the order in hand.
  /// - Parameter sequence: how `note` will name it, as in `RecordReports`.
  func take(sequence: Int64, wallMilliseconds: Int64) -> SourceOrder

  /// What became of orders that were handed out.
  func note(_ reports: RecordReports) throws
}

/// An order on its way to a producer. The bytes are lent by the source, until its next `advance`.
public struct SourceOrder {
  public var key: UnsafeRawBufferPointer
  public var value: UnsafeRawBufferPointer
  public var headers: Headers
  /// Whether its status is `failed`.
  public var isFailed: Bool

  public init(
    key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, headers: Headers = .none, isFailed: Bool
  ) {
    self.key = key
    self.value = value
    self.headers = headers
    self.isFailed = isFailed
  }
}

/// Orders of the generator, each made when it is taken.
public final class GeneratedOrders: OrderSource {
  /// Refusals that are kept.
  public static let refusalLimit = 20

  public let options: OrderGenerator.Options
  /// Orders that the broker refused for what they are, by their index in the run: the first ones. How many there are in
  /// all is `OrderPublisher.refusedAtOnce` and `Producer.deliveries.refused`.
  public private(set) var refusals: [RecordReports.Refusal] = []
  // Only `take` changes these; a check of each access would cost as much as a tenth of an order.
  @exclusivity(unchecked) private var generator: OrderGenerator
  @exclusivity(unchecked) private var left: Int64
  private let value = ByteBuffer()
  /// What the last of so many orders says about the topic's numbers.
  private let trace: (Int64) -> OrderNumbering.Trace?
  /// Whether the order that is handed out next is the last one, however many were asked for.
  private let isOver: (() -> Bool)?
  /// The header block of the last order; `nil` for none.
  private var lastHeaders: ByteBuffer?
  /// Orders of this run in all: fewer than `options.count` when the time was over before that.
  public private(set) var count: Int64

  /// - Parameters:
  ///   - limit: no more orders than that, whatever their number is for the event times.
  ///   - isOver: asked before each order: whether it is the last one because the time is over.
  ///   - trace: what the last of so many orders says about the topic's numbers.
  /// - Precondition: `options.problem` is `nil`.
  public init(
    _ options: OrderGenerator.Options, limit: Int64 = .max, isOver: (() -> Bool)? = nil,
    trace: @escaping (Int64) -> OrderNumbering.Trace? = { _ in nil }
  ) {
    self.options = options
    self.isOver = isOver
    self.trace = trace
    generator = OrderGenerator(options)
    count = min(options.count, limit)
    left = count
  }

  public var mayKeepWaiting: Bool { false }

  public func advance() -> Bool { left > 0 }

  @inline(__always)
  public func take(sequence: Int64, wallMilliseconds: Int64) -> SourceOrder {
    let order = generator.next(wallMilliseconds: wallMilliseconds, into: value)
    left -= 1
    if let isOver, left > 0, isOver() {
      count -= left
      left = 0
    }
    if left == 0, let trace = trace(count) {
      let block = ByteBuffer(capacity: 64)
      Headers.append(name: OrderNumbering.header, text: trace.text, to: block)
      lastHeaders = block
    }
    return SourceOrder(
      key: order.key(in: value), value: value.bytes,
      headers: left == 0 ? lastHeaders.map { Headers(block: $0.bytes) } ?? .none : .none,
      isFailed: order.isFailed)
  }

  public func note(_ reports: RecordReports) {
    refusals += reports.refused.prefix(max(0, Self.refusalLimit - refusals.count))
  }
}
