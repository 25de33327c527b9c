import Foundation
import OrderStreamCore
import OrderStreamTestSupport

/// The seed of every generated order here.
let ordersSeed: UInt64 = 20_240_115

/// The topic of every test here, and what is expected of it.
struct Orders {
  static let topic = "orders"

  let broker: any Broker
  let partitions: Int32

  init(_ broker: any Broker, partitions: Int32 = 3) throws {
    self.broker = broker
    self.partitions = partitions
    try broker.createTopic(Self.topic, partitions: partitions)
  }

  /// Sends generated orders, ten minutes of event time.
  func produce(_ count: Int64, firstOrder: Int64 = 1, failureRate: Double = 0.2) throws {
    let producer = try broker.producer(topic: Self.topic, pace: .bulk)
    defer { producer.close() }
    let options = OrderGenerator.Options(
      seed: ordersSeed, failureRate: failureRate, firstOrder: firstOrder, count: count,
      eventTime: .span(startSeconds: 1_705_314_600, spanNanoseconds: 600_000_000_000))
    var publisher = OrderPublisher(
      GeneratedOrders(options), producer: producer, schedule: nil, time: SystemTime(), stop: StopFlag())
    try publisher.run { _ in }
  }

  func ends() throws -> [Offset] {
    let admin = try broker.admin()
    defer { admin.close() }
    return try admin.watermarks(topic: Self.topic).map(\.high)
  }

  /// The metrics as another program would count them: with Foundation, from the records themselves.
  func expectedSummary() throws -> Expected {
    var expected = Expected()
    for record in try broker.contents(of: Self.topic) {
      guard let value = record.value,
        let order = try? JSONSerialization.jsonObject(with: Data(value)) as? [String: Any],
        let timestamp = order["timestamp"] as? String
      else {
        expected.rejected += 1
        continue
      }
      let isFailed = order["status"] as? String == "failed"
      expected.total += 1
      expected.failed += isFailed ? 1 : 0
      expected.byMinute[String(timestamp.prefix(16)), default: 0] += 1
      expected.items += (order["items"] as? [Any])?.count ?? 0
    }
    return expected
  }

  struct Expected: Equatable {
    var total: Int64 = 0
    var failed: Int64 = 0
    var rejected: Int64 = 0
    var byMinute: [String: Int64] = [:]
    var items = 0
  }
}

extension MetricsSummary {
  /// As `Orders.Expected`, without the items.
  func agrees(with expected: Orders.Expected) -> Bool {
    let text = ByteBuffer()
    var found: [String: Int64] = [:]
    for minute in minutes {
      text.removeAll()
      CivilTime.appendMinute(minute.minute, separator: UInt8(ascii: "T"), to: text)
      found[String(decoding: text.bytes, as: UTF8.self)] = minute.orders
    }
    return totalOrders == expected.total && failedOrders == expected.failed && rejected == expected.rejected
      && found == expected.byMinute
  }

  /// The bytes of the report.
  var report: String {
    let text = ByteBuffer()
    MetricsReport(self, processed: 0).appendText(to: text)
    return String(decoding: text.bytes, as: UTF8.self)
  }
}
