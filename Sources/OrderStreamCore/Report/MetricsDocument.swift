/// The order metrics as the members of a JSON object: the document of `analytics`, and the two halves of `replay`'s.
public enum MetricsDocument {
  /// Appends the members; the caller has opened the object and closes it.
  public static func appendMembers(_ summary: MetricsSummary, to json: JSONWriter) {
    json.key("total_orders")
    json.integer(summary.totalOrders)
    json.key("failed_orders")
    json.integer(summary.failedOrders)
    json.key("failure_rate_percent")
    json.hundredths(summary.failureRateHundredths)
    json.key("average_orders_per_minute")
    json.hundredths(summary.averageOrdersPerMinuteHundredths)
    json.key("current_orders_per_minute")
    json.integer(summary.currentMinute?.orders ?? 0)
    json.key("current_minute")
    let text = ByteBuffer(capacity: 64)
    if let current = summary.currentMinute {
      CivilTime.appendMinute(current.minute, separator: UInt8(ascii: "T"), to: text)
      json.string(text.bytes)
    } else {
      json.null()
    }
    appendByMinute("orders_by_minute", summary.minutes, \.orders, scratch: text, to: json)
    appendByMinute("failed_by_minute", summary.minutes, \.failed, scratch: text, to: json)
    json.key("rejected")
    json.integer(summary.rejected)
  }

  /// An object minute → count, oldest first; minutes without failed orders stand with 0.
  private static func appendByMinute(
    _ name: StaticString, _ minutes: [MetricsSummary.Minute], _ count: KeyPath<MetricsSummary.Minute, Int64>,
    scratch text: ByteBuffer, to json: JSONWriter
  ) {
    json.key(name)
    json.beginObject()
    for minute in minutes {
      text.removeAll()
      CivilTime.appendMinute(minute.minute, separator: UInt8(ascii: "T"), to: text)
      json.key(text.bytes)
      json.integer(minute[keyPath: count])
    }
    json.endObject()
  }
}
