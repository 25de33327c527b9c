/// Latencies as rows for people and as members of a document.
extension LatencyFigures {
  /// How many `appendRows` appends.
  var rowCount: Int { all.count == 0 ? 0 : isParted && firstSecond.count > 0 ? 2 : 1 }

  /// `latency, ms: p50 3.00  p90 …`, for a line of its own; `nil` where nothing was measured.
  public var line: String? { all.count > 0 ? "latency, ms: \(all.text())" : nil }

  /// A row, and one for the first second where that is told apart; nothing where nothing was measured.
  /// - Parameter columns: that a row may take, with its label.
  func appendRows(to text: ReportText, columns: Int = .max) {
    let rest = columns - 2 - TextRows.labelWidth
    if rowCount > 0 { TextRows.append("Latency, ms (\(all.count))", all.text(columns: rest), to: text) }
    if rowCount > 1 {
      TextRows.append("First second, ms (\(firstSecond.count))", firstSecond.text(columns: rest), to: text)
    }
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

  /// `p50 1.20  p90 2.31  p99 12.4  p99.9 40.2  max 131`: milliseconds. Fewer of them where there is no room.
  func text(columns: Int = .max) -> String {
    func text(_ indices: [Int]) -> String {
      indices.map { "\(members[$0].label) \(Self.milliseconds(members[$0].value))" }.joined(separator: "  ")
    }
    let choices = [[0, 1, 2, 3, 4], [0, 2, 4], [2]]
    return choices.lazy.map(text).first { $0.utf8.count <= columns } ?? text([2])
  }

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
