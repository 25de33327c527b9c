import Foundation

/// Everything that was measured, as a table or as one JSON document.
struct ResultTable: Encodable {
  struct Machine: Encodable {
    var cores: Int
    var loadBefore: Double
    var loadAfter: Double
    var rounds: Int
    var events: Int64
    /// Whether allocations were counted.
    var countsAllocations: Bool
  }

  var machine: Machine
  var rows: [Row]

  var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    guard let data = try? encoder.encode(self) else { preconditionFailure("numbers and words can always be encoded") }
    return String(decoding: data, as: UTF8.self) + "\n"
  }

  var text: String {
    var lines: [[String]] = [["job", "measured", "CPU/event", "allocs/event", "compared with", "ratio", "target", ""]]
    for row in rows {
      lines.append([
        row.job, "\(Row.short(row.value)) \(row.unit)",
        row.processorNanosecondsPerEvent.map { "\(Row.rounded($0, 0)) ns" } ?? "",
        machine.countsAllocations ? row.allocationsPerEvent.map { Row.rounded($0, 3) } ?? "" : "",
        row.reference ?? "", row.ratio.map { Row.rounded($0, 2) } ?? "", row.target ?? "",
        row.verdict == .info ? "" : row.verdict.rawValue,
      ])
    }
    let widths = lines[0].indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
    let table = lines.map { line in
      let last = line.lastIndex { !$0.isEmpty } ?? 0
      return line.indices[...last].map { column in
        line[column] + String(repeating: " ", count: column < last ? widths[column] - line[column].count : 0)
      }.joined(separator: "  ")
    }
    return """
      \(machine.cores) cores, load \(Row.rounded(machine.loadBefore, 1)) before and \
      \(Row.rounded(machine.loadAfter, 1)) after (the benchmark itself adds 1 to 3); \
      medians of \(machine.rounds) interleaved rounds of \(machine.events) events

      \(table.joined(separator: "\n"))

      """
  }
}
