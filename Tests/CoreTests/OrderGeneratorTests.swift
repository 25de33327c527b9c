import Foundation
import OrderStreamCore
import Testing

@Suite struct OrderGeneratorTests {
  struct Order: Decodable, Equatable {
    struct Item: Decodable, Equatable {
      var item_id: String
      var quantity: Int
      var price: Decimal
    }
    var event_type: String
    var order_id: String
    var user_id: String
    var items: [Item]
    var total_amount: Decimal
    var status: String
    var timestamp: String
  }

  static let start: Int64 = 1_705_314_600

  typealias Options = OrderGenerator.Options

  static func options(count: Int64, _ change: (inout Options) -> Void = { _ in }) -> Options {
    var options = OrderGenerator.Options(
      seed: 42, count: count, eventTime: .span(startSeconds: start, spanNanoseconds: 600_000_000_000))
    change(&options)
    return options
  }

  static func orders(_ options: OrderGenerator.Options, wall: Int64 = 0) -> [String] {
    var generator = OrderGenerator(options)
    let buffer = ByteBuffer()
    return (0..<options.count).map { _ in
      let order = generator.next(wallMilliseconds: wall, into: buffer)
      let json = String(decoding: buffer.bytes, as: UTF8.self)
      #expect(json.contains(#""order_id":"\#(String(decoding: order.key(in: buffer), as: UTF8.self))""#))
      #expect(json.contains(#""status":"failed""#) == order.isFailed)
      #expect(OrderNumber.parse(order.key(in: buffer)) == order.number)
      return json
    }
  }

  @Test func theFirstOrderOfSeed42IsKnown() {
    #expect(Self.orders(Self.options(count: 1)) == [Self.golden])
  }

  static let golden =
    #"{"event_type":"OrderPlaced","order_id":"order_000001","user_id":"user_309","items":["#
    + #"{"item_id":"ramen","quantity":2,"price":13.75},{"item_id":"salad","quantity":3,"price":8.75},"#
    + #"{"item_id":"sushi","quantity":3,"price":18.9}],"total_amount":110.45,"status":"placed","#
    + #""timestamp":"2024-01-15T10:30:00"}"#

  /// FNV-1a over 10 000 orders: a change here is a change for everyone who kept a seed. The hash was found a second time
  /// by a generator written from the documentation in another language.
  @Test func theBytesOfASeedNeverChange() {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for order in Self.orders(Self.options(count: 10_000)) {
      for byte in order.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
    #expect(hash == 0xbd76_a4fb_e5f2_6b1b)
  }

  @Test func totalsAreExactAndTheContentIsPlausible() throws {
    let decoder = OrderDecoder()
    var users: Set<String> = []
    var failed = 0
    var counts: [Int: Int] = [:]
    for json in Self.orders(Self.options(count: 3000)) {
      let order = try JSONDecoder().decode(Order.self, from: Data(json.utf8))
      let total = order.items.reduce(Decimal(0)) { $0 + $1.price * Decimal($1.quantity) }
      // Foundation reads decimals through doubles: compare whole cents.
      #expect(cents(total) == cents(order.total_amount), "\(json)")
      #expect(Set(order.items.map(\.item_id)).count == order.items.count)
      #expect(order.items.allSatisfy { (1...3).contains($0.quantity) })
      users.insert(order.user_id)
      counts[order.items.count, default: 0] += 1
      if order.status == "failed" { failed += 1 }
      let decoded = Decoded(Array(json.utf8), with: decoder).order
      #expect(decoded?.itemIDs == order.items.map(\.item_id))
      #expect(decoded?.quantities == order.items.map { Int32($0.quantity) })
      #expect(decoded?.isFailed == (order.status == "failed"))
      #expect(decoded?.timestamp == order.timestamp)
    }
    #expect((100...200).contains(failed))
    #expect(users.count > 900 && users.count <= 1000)
    #expect(counts.keys.sorted() == [1, 2, 3, 4] && counts.values.allSatisfy { (650...850).contains($0) })
  }

  private func cents(_ amount: Decimal) -> Int64 {
    Int64((NSDecimalNumber(decimal: amount).doubleValue * 100).rounded())
  }

  @Test func anOrderDependsOnSeedAndNumberAlone() {
    let whole = Self.orders(Self.options(count: 100))
    let second = Self.orders(Self.options(count: 50) { $0.firstOrder = 51 })
    #expect(second.map(content) == whole.suffix(50).map(content))
    let others = Self.orders(Self.options(count: 100) { $0.seed = 43 })
    #expect(zip(whole, others).allSatisfy { content($0) != content($1) })
    let wall = Self.orders(Self.options(count: 100) { $0.eventTime = .wallClock }, wall: Self.start * 1000 + 999)
    #expect(wall.map(content) == whole.map(content))
    #expect(wall.allSatisfy { $0.hasSuffix(#""timestamp":"2024-01-15T10:30:00"}"#) })
    #expect(Self.orders(Self.options(count: 100), wall: 1) == whole)
  }

  /// All but the event time.
  private func content(_ json: String) -> String {
    json.components(separatedBy: #","timestamp":"#)[0]
  }

  @Test func failuresGrowWithTheRateAndChangeNothingElse() {
    var before: Set<Int> = []
    for rate in [0, 0.01, 0.05, 0.5, 1] {
      let orders = Self.orders(Self.options(count: 1000) { $0.failureRate = rate })
      let failed = Set(orders.indices.filter { orders[$0].contains(#""status":"failed""#) })
      #expect(failed.isSuperset(of: before))
      #expect(abs(Double(failed.count) - rate * 1000) < 60)
      before = failed
    }
    #expect(before.count == 1000)
    #expect(Self.orders(Self.options(count: 1000) { $0.failureRate = 0 }).allSatisfy { $0.contains("placed\"") })
  }

  @Test func numbersHaveAtLeastSixDigits() {
    let large = Self.orders(Self.options(count: 2) { $0.firstOrder = 999_999 })
    #expect(large[0].contains(#""order_id":"order_999999""#))
    #expect(large[1].contains(#""order_id":"order_1000000""#))
  }

  @Test func impossibleOptionsAreNamed() {
    let options = Self.options(count: 10)
    #expect(options.problem == nil)
    let changes: [(inout OrderGenerator.Options) -> Void] = [
      { $0.failureRate = 1.1 }, { $0.failureRate = -0.1 }, { $0.failureRate = .nan }, { $0.users = 0 },
      { $0.count = -1 },
      { $0.firstOrder = -1 }, { $0.firstOrder = .max },
      { $0.eventTime = .span(startSeconds: 0, spanNanoseconds: -1) },
      { $0.eventTime = .span(startSeconds: 253_402_300_799, spanNanoseconds: 20_000_000_000) },
      { $0.eventTime = .span(startSeconds: .max, spanNanoseconds: .max) },
      { $0.eventTime = .stepped(startSeconds: 0, perSecond: 0) },
      { $0.eventTime = .stepped(startSeconds: 0, perSecond: .nan) },
      { $0.eventTime = .stepped(startSeconds: 0, perSecond: .infinity) },
      { $0.eventTime = .stepped(startSeconds: 0, perSecond: 1e-12) },
      {
        $0.count = 1 << 62; $0.eventTime = .stepped(startSeconds: 0, perSecond: 0.000001)
      },
    ]
    for (index, change) in changes.enumerated() {
      var changed = options
      change(&changed)
      #expect(changed.problem != nil, "change \(index)")
    }
  }
}
