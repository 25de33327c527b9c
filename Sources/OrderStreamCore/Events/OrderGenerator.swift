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
      if !(failureRate >= 0 && failureRate <= 1) { return "the failure rate must be from 0 to 1" }
      if users < 1 { return "there must be at least one user" }
      if firstOrder < 0 || count < 0 { return "the number of orders must not be negative" }
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

  /// Goes to the order of an index, from 0, before or behind the one that came last.
  /// - Precondition: `index` is below `options.count`.
  public mutating func skip(to index: Int64) {
    precondition((0..<options.count).contains(index), "a run has as many orders as it was asked for")
    produced = index
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

/// What is known about an order that was just generated, without reading it again.
public struct GeneratedOrder: Hashable, Sendable {
  /// The number in its id.
  public var number: Int64
  /// Where its id, the record's key, lies in the buffer.
  public var keyRange: Range<Int>
  public var isFailed: Bool

  /// The record's key, borrowed from the buffer that the order was written into.
  @inline(__always)
  public func key(in buffer: ByteBuffer) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: buffer.bytes[keyRange])
  }
}

/// The event time of generated orders. Starts may have a fraction of a second; event times are cut to the second.
public enum EventTime: Hashable, Sendable {
  /// The second in which the order is made.
  case wallClock
  /// Event i of n (0-based) is at start + ⌊i · span / n⌋. `spanNanoseconds` is not negative.
  case span(startSeconds: Int64, startNanoseconds: Int32 = 0, spanNanoseconds: Int64)
  /// Event i is at start + i / perSecond. The rate is taken to the millionth of an event a second.
  case stepped(startSeconds: Int64, startNanoseconds: Int32 = 0, perSecond: Double)

  private static let billion: Int64 = 1_000_000_000
  private static let million: Int64 = 1_000_000

  /// The whole second since 1970 of event `index` of `count`, by integers only; saturates instead of overflowing.
  @inline(__always)
  func second(index: Int64, count: Int64, wallMilliseconds: Int64) -> Int64 {
    switch self {
    case .wallClock:
      return CivilTime.floor(wallMilliseconds, by: 1000)
    case .span(let start, let fraction, let span):
      let product = index.multipliedFullWidth(by: span)
      let passed = count.dividingFullWidth(product).quotient
      return Self.sum(start, passed / Self.billion, (Int64(fraction) + passed % Self.billion) / Self.billion)
    case .stepped(let start, let fraction, let perSecond):
      let rate = UInt64(Self.perMillionSeconds(perSecond))
      let product = UInt64(index).multipliedFullWidth(by: UInt64(Self.million))
      guard product.high < rate else { return .max }
      let (quotient, rest) = rate.dividingFullWidth(product)
      guard let passed = Int64(exactly: quotient) else { return .max }
      let nanoseconds = Int64(rate.dividingFullWidth(rest.multipliedFullWidth(by: UInt64(Self.billion))).quotient)
      return Self.sum(start, passed, (Int64(fraction) + nanoseconds) / Self.billion)
    }
  }

  /// Why these event times are impossible for so many events, in words; `nil` when they are fine.
  func problem(count: Int64) -> String? {
    switch self {
    case .wallClock: return nil
    case .span(_, let fraction, let span):
      if span < 0 || !(0..<Int32(Self.billion)).contains(fraction) { return "span and fraction must not be negative" }
    case .stepped(_, let fraction, let perSecond):
      if !(perSecond > 0 && perSecond <= 1e12 && Self.perMillionSeconds(perSecond) > 0) {
        return "the rate must be above 0 and at most 1e12 events a second"
      }
      if !(0..<Int32(Self.billion)).contains(fraction) { return "the fraction must be from 0 to below one second" }
    }
    for index in [0, count - 1] {
      guard CivilTime.secondsRange.contains(second(index: index, count: count, wallMilliseconds: 0)) else {
        return "the event times leave the years 0000 to 9999"
      }
    }
    return nil
  }

  @inline(__always)
  private static func perMillionSeconds(_ perSecond: Double) -> Int64 {
    Int64((perSecond * 1e6).rounded())
  }

  @inline(__always)
  private static func sum(_ start: Int64, _ passed: Int64, _ carry: Int64) -> Int64 {
    let (sum, overflow) = start.addingReportingOverflow(passed)
    return overflow || sum == .max ? .max : sum + carry
  }
}

/// What the generator's customers can order: ten dishes, their prices in cents, and every line of an order written
/// once, so that making an order copies bytes. Changing the menu changes every generated order.
struct OrderMenu {
  static let dishes: [(id: String, cents: Int64)] = [
    ("burger", 1000), ("pizza", 1250), ("fries", 425), ("salad", 875), ("sushi", 1890),
    ("taco", 350), ("ramen", 1375), ("curry", 1120), ("soup", 599), ("cola", 250),
  ]
  static let mostOfOneDish = 3

  /// `{"item_id":"burger","quantity":2,"price":10.0}` for each dish and quantity.
  private let lines = ByteBuffer()
  private let starts: [Int]
  private let prices: [Int64]

  init() {
    var starts = [0]
    for dish in Self.dishes {
      for quantity in 1...Self.mostOfOneDish {
        var json = JSONWriter(lines)
        json.beginObject()
        json.key("item_id")
        json.string(dish.id)
        json.key("quantity")
        json.integer(quantity)
        json.key("price")
        json.hundredths(dish.cents)
        json.endObject()
        starts.append(lines.count)
      }
    }
    self.starts = starts
    prices = Self.dishes.map(\.cents)
  }

  /// Appends one line and returns its amount in cents.
  @inline(__always)
  func append(dish: Int, quantity: Int, to buffer: ByteBuffer) -> Int64 {
    let line = dish * Self.mostOfOneDish + quantity - 1
    let start = starts[line]
    buffer.append(UnsafeRawBufferPointer(rebasing: lines.bytes[start..<starts[line + 1]]))
    return prices[dish] * Int64(quantity)
  }
}

/// The numbers of generated orders, which their ids carry.
public enum OrderNumber {
  /// The number of an id `order_<digits>`; `nil` for any other id and for a number beyond 63 bits.
  public static func parse(_ id: UnsafeRawBufferPointer) -> Int64? {
    guard id.count > prefix.utf8CodeUnitCount else { return nil }
    for index in 0..<prefix.utf8CodeUnitCount where id[index] != prefix.utf8Start[index] { return nil }
    var number: Int64 = 0
    for byte in id[prefix.utf8CodeUnitCount...] {
      let digit = byte &- 48
      guard digit <= 9 else { return nil }
      let (product, overflow) = number.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(Int64(digit))
      if overflow || carry { return nil }
      number = sum
    }
    return number
  }

  /// The id of an order of that number: `order_000001`.
  public static func id(_ number: Int64) -> String {
    let digits = String(number)
    return "\(prefix)" + String(repeating: "0", count: max(0, leastDigits - digits.utf8.count)) + digits
  }

  static let prefix: StaticString = "order_"
  /// An id has at least so many digits.
  static let leastDigits = 6
}

/// Random numbers that are the same for the same seed on every machine and in every version: SplitMix64.
///
/// Not for secrets. Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, with
/// the constants of `java.util.SplittableRandom`.
public struct SeededRandom: RandomNumberGenerator, Sendable {
  private static let step: UInt64 = 0x9e37_79b9_7f4a_7c15
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  /// An independent sequence for element `index` of a series with this seed, so that an element can be made without
  /// those before it. Starts at output `index` of the seed's own sequence.
  @inline(__always)
  public init(seed: UInt64, index: UInt64) {
    state = Self.mix(seed &+ (index &+ 1) &* Self.step)
  }

  @inline(__always)
  public mutating func next() -> UInt64 {
    state = state &+ Self.step
    return Self.mix(state)
  }

  /// A whole number in `0 ..< bound`, each equally likely: Lemire's multiply and shift with rejection ("Fast random
  /// integer generation in an interval", ACM TOMACS 2019). Rejects with a probability below `bound / 2⁶⁴`. The
  /// standard library's `Int.random` is not used because its method may change between versions.
  @inline(__always)
  public mutating func below(_ bound: UInt64) -> UInt64 {
    precondition(bound > 0, "there is no number below zero")
    var product = next().multipliedFullWidth(by: bound)
    if product.low < bound {
      let rejected = (0 &- bound) % bound
      while product.low < rejected { product = next().multipliedFullWidth(by: bound) }
    }
    return product.high
  }

  @inline(__always)
  private static func mix(_ input: UInt64) -> UInt64 {
    var value = input
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}
