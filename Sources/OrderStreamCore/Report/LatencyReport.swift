/// Latencies as rows for people and as members of a document.
extension LatencyFigures {
  /// A row, and one for the first second where that is told apart; nothing where nothing was measured.
  func appendRows(to text: ReportText) {
    guard all.count > 0 else { return }
    TextRows.append("Latency, ms (\(all.count))", all.text, to: text)
    guard isParted, firstSecond.count > 0 else { return }
    TextRows.append("First second, ms (\(firstSecond.count))", firstSecond.text, to: text)
  }

  func appendMembers(to json: inout JSONWriter) {
    json.key("latency_ms")
    all.append(to: &json)
    json.key("latency_first_second_ms")
    firstSecond.append(to: &json)
    json.key("latency_buckets")
    json.beginArray()
    for bucket in all.buckets {
      json.beginObject()
      json.key("le_ms")
      json.thousandths(bucket.upToMicroseconds)
      json.member("count", bucket.count)
      json.endObject()
    }
    json.endArray()
  }
}

extension LatencySummary {
  private var members: [(label: String, key: String, value: Int64)] {
    [("p50", "p50", p50), ("p90", "p90", p90), ("p99", "p99", p99), ("p99.9", "p999", p999), ("max", "max", max)]
  }

  /// `p50 1.20  p90 2.31  p99 12.4  p99.9 40.2  max 131`: milliseconds.
  var text: String { members.map { "\($0.label) \(Self.milliseconds($0.value))" }.joined(separator: "  ") }

  func append(to json: inout JSONWriter) {
    json.beginObject()
    for member in members {
      json.key(member.key)
      if count > 0 { json.thousandths(member.value) } else { json.null() }
    }
    json.member("count", count)
    json.endObject()
  }

  /// Microseconds as milliseconds for people: two decimals below 10, one below 100, then none; rounded half up.
  static func milliseconds(_ microseconds: Int64) -> String {
    if microseconds < 9_995 { return TextRows.hundredths((microseconds + 5) / 10) }
    if microseconds < 99_950 {
      let tenths = (microseconds + 50) / 100
      return "\(tenths / 10).\(tenths % 10)"
    }
    return String((microseconds + 500) / 1000)
  }
}
