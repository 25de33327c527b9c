/// Makes orders as JSON, the same for the same options on every machine. Allocates nothing per order.
///
/// An order's customer, dishes, total and status depend on the seed and on its number alone: `firstOrder` and `count`
/// choose which orders of one endless series are made, two runs of 5000 make the orders of one run of 10 000, and a
/// different `failureRate` changes only which orders failed (a higher rate fails the same orders and more). Only the
/// event time depends on an order's place in the run.
public struct OrderGenerator {
  public struct Options: Hashable, Sendable {
    public var seed: UInt64
    /// Share of failed orders, 0 … 1. Compared as a whole number of 2⁻⁵³, which is the same on every machine.
    public var failureRate: Double
    /// Customers are `user_1` … `user_<users>`.
    public var users: Int
    /// Number of the first order, not negative.
    public var firstOrder: Int64
    /// How many orders this run makes.
    public var count: Int64
    public var eventTime: EventTime

    public init(
      seed: UInt64, failureRate: Double = 0.05, users: Int = 1000, firstOrder: Int64 = 1, count: Int64,
      eventTime: EventTime = .wallClock
    ) {
      self.seed = seed
      self.failureRate = failureRate
      self.users = users
      self.firstOrder = firstOrder
      self.count = count
      self.eventTime = eventTime
    }

    /// Why no orders can be made with these options, in words; `nil` when they can.
    public var problem: String? {
      if !(failureRate >= 0 && failureRate <= 1) { return "a failure rate is a number from 0 to 1" }
      if users < 1 { return "there is at least one user" }
      if firstOrder < 0 || count < 0 { return "a number of orders is not negative" }
      if firstOrder.addingReportingOverflow(max(count - 1, 0)).overflow { return "order numbers end at 2⁶³ − 1" }
      return count == 0 ? nil : eventTime.problem(count: count)
    }
  }

  public let options: Options
  /// How many orders have been made.
  public private(set) var produced: Int64 = 0
  private let menu = OrderMenu()
  /// An order fails when its 53 random bits are below.
  private let failureThreshold: UInt64

  /// - Precondition: `options.problem` is `nil`.
  public init(_ options: Options) {
    if let problem = options.problem { preconditionFailure(problem) }
    self.options = options
    failureThreshold = UInt64((options.failureRate * 0x1p53).rounded())
  }

  /// Replaces the buffer's content with the next order.
  /// - Parameter wallMilliseconds: milliseconds since 1970 UTC; looked at only for event times of the wall clock.
  /// - Precondition: fewer than `options.count` orders have been made.
  public mutating func next(wallMilliseconds: Int64, into buffer: ByteBuffer) -> GeneratedOrder {
    precondition(produced < options.count, "a run makes as many orders as it was asked for")
    let number = options.firstOrder + produced
    var random = SeededRandom(seed: options.seed, index: UInt64(number))
    let isFailed = random.next() >> 11 < failureThreshold
    let user = random.below(UInt64(options.users)) + 1
    let itemCount = Int(random.below(4)) + 1

    buffer.removeAll()
    buffer.append(#"{"event_type":"OrderPlaced","order_id":""# as StaticString)
    let keyStart = buffer.count
    buffer.append(OrderNumber.prefix)
    JSONWriter.appendDigits(UInt64(number), atLeast: OrderNumber.leastDigits, to: buffer)
    let keyEnd = buffer.count
    buffer.append(#"","user_id":"user_"# as StaticString)
    JSONWriter.appendDigits(user, atLeast: 1, to: buffer)
    buffer.append(#"","items":["# as StaticString)
    let total = appendItems(itemCount, &random, to: buffer)
    buffer.append(#"],"total_amount":"# as StaticString)
    JSONWriter.appendHundredths(total, to: buffer)
    if isFailed {
      buffer.append(#","status":"failed","timestamp":""# as StaticString)
    } else {
      buffer.append(#","status":"placed","timestamp":""# as StaticString)
    }
    let second = options.eventTime.second(
      index: produced, count: options.count, wallMilliseconds: wallMilliseconds)
    CivilTime.appendSeconds(second, to: buffer)
    buffer.append(#""}"# as StaticString)

    produced += 1
    return GeneratedOrder(number: number, keyRange: keyStart..<keyEnd, isFailed: isFailed)
  }

  /// Appends different dishes of the menu and returns their total in cents.
  @inline(__always)
  private func appendItems(_ count: Int, _ random: inout SeededRandom, to buffer: ByteBuffer) -> Int64 {
    // The dishes that are left, four bits each.
    var left: UInt64 = 0x98_7654_3210
    var total: Int64 = 0
    for index in 0..<count {
      if index > 0 { buffer.append(UInt8(ascii: ",")) }
      let shift = random.below(UInt64(OrderMenu.dishes.count - index)) * 4
      let dish = left >> shift & 0xf
      left = (left & ((1 << shift) - 1)) | ((left >> (shift + 4)) << shift)
      let quantity = random.below(UInt64(OrderMenu.mostOfOneDish)) + 1
      total += menu.append(dish: Int(dish), quantity: Int(quantity), to: buffer)
    }
    return total
  }
}
