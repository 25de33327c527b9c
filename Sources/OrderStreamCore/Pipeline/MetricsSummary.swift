/// Order metrics of a group over one topic: a function of the records alone.
public struct MetricsSummary: Sendable, Equatable {
  public struct Minute: Sendable, Equatable {
    /// Minutes since 1970 UTC.
    public var minute: Int64
    public var orders: Int64
    public var failed: Int64
  }

  /// Minutes that have orders, oldest first.
  public let minutes: [Minute]
  public let totalOrders: Int64
  public let failedOrders: Int64
  public let rejected: Int64

  init(minutes table: MinuteTable, rejected: Int64) {
    var minutes: [Minute] = []
    minutes.reserveCapacity(table.count)
    table.forEach { minutes.append(Minute(minute: $0, orders: Int64($1), failed: Int64($2))) }
    minutes.sort { $0.minute < $1.minute }
    self.minutes = minutes
    self.rejected = rejected
    totalOrders = minutes.reduce(0) { $0 + $1.orders }
    failedOrders = minutes.reduce(0) { $0 + $1.failed }
  }

  /// Failed orders in hundredths of a percent of all orders, rounded half away from zero; 0 without orders.
  public var failureRateHundredths: Int64 { Self.rounded(failedOrders, times: 10_000, over: totalOrders) }

  /// Orders per minute that has orders, in hundredths, rounded half away from zero; 0 without orders.
  public var averageOrdersPerMinuteHundredths: Int64 {
    Self.rounded(totalOrders, times: 100, over: Int64(minutes.count))
  }

  /// The newest minute that has orders.
  public var currentMinute: Minute? { minutes.last }

  /// `value · factor / divisor` for values ≥ 0, rounded half up (which is half away from zero); 0 over 0.
  private static func rounded(_ value: Int64, times factor: Int64, over divisor: Int64) -> Int64 {
    guard divisor > 0 else { return 0 }
    let (quotient, remainder) = divisor.dividingFullWidth(value.multipliedFullWidth(by: factor))
    return remainder >= divisor - remainder ? quotient + 1 : quotient
  }
}
