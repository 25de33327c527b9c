/// The rows of a document as comma-separated values: RFC 4180 with a header line, lines that end with LF, and nothing
/// between the commas for what is not known. A function of the document alone.
public enum TableFile {
  /// Appends the table of a document; nothing where its command has no rows.
  public static func append(_ document: Document, to buffer: ByteBuffer) {
    switch document.command {
    case "analytics": appendMinutes(document, to: buffer)
    case "lag-demo": appendLag(document, to: buffer)
    case "produce", "inventory": appendLatencies(document, to: buffer)
    case "status": appendGroups(document, to: buffer)
    default: break
    }
  }

  /// Orders by minute, oldest first.
  private static func appendMinutes(_ document: Document, to buffer: ByteBuffer) {
    append(["minute", "orders", "failed"], to: buffer)
    let failed = Dictionary(
      (document["failed_by_minute"]?.members ?? []).map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
    for minute in document["orders_by_minute"]?.members ?? [] {
      append([minute.key, cell(minute.value), cell(failed[minute.key])], to: buffer)
    }
  }

  /// One sample a row, with a column for each partition where the samples have them.
  private static func appendLag(_ document: Document, to buffer: ByteBuffer) {
    let samples = document["samples"]?.elements ?? []
    let partitions = samples.map { $0["lag_by_partition"]?.elements.count ?? 0 }.max() ?? 0
    let keys = ["t_ms", "produced", "consumed", "lag"]
    append(keys + (0..<partitions).map { "lag_\($0)" }, to: buffer)
    for sample in samples {
      let lags = sample["lag_by_partition"]?.elements ?? []
      append(
        keys.map { cell(sample[$0]) } + (0..<partitions).map { $0 < lags.count ? cell(lags[$0]) : "" }, to: buffer)
    }
  }

  /// How many latencies are at most how long; the last column counts those of the rows above too.
  private static func appendLatencies(_ document: Document, to buffer: ByteBuffer) {
    append(["le_ms", "count", "cumulative_count"], to: buffer)
    var total: Int64 = 0
    for bucket in document["latency_buckets"]?.elements ?? [] {
      total = total.saturatingAdd(bucket["count"]?.integer ?? 0)
      append([cell(bucket["le_ms"]), cell(bucket["count"]), String(total)], to: buffer)
    }
  }

  /// A partition of a group a row.
  private static func appendGroups(_ document: Document, to buffer: ByteBuffer) {
    let keys =
      ["topic", "partition", "committed", "stable", "lag", "reason"]
      + [
        "lag_state", "lag_seconds", "arrival_per_second", "service_per_second", "trend_per_second", "clear",
        "clear_in_seconds", "clear_in_seconds_error", "removed_first",
      ]
    append(["group"] + keys, to: buffer)
    for group in document["groups"]?.elements ?? [] {
      for partition in group["partitions"]?.elements ?? [] {
        append([cell(group["group"])] + keys.map { cell(partition[$0]) }, to: buffer)
      }
    }
  }

  private static func cell(_ value: DocumentValue?) -> String {
    guard let value else { return "" }
    return value.text ?? value.numberText ?? value.bool.map(String.init) ?? ""
  }

  private static func append(_ cells: [String], to buffer: ByteBuffer) {
    for (index, cell) in cells.enumerated() {
      if index > 0 { buffer.append(UInt8(ascii: ",")) }
      append(cell, to: buffer)
    }
    buffer.append(UInt8(ascii: "\n"))
  }

  /// In quotes where it has a comma, a quote or an end of a line; a quote in quotes is doubled.
  private static func append(_ cell: String, to buffer: ByteBuffer) {
    let special: Set<UInt8> = [UInt8(ascii: ","), UInt8(ascii: "\""), 0x0A, 0x0D]
    guard cell.utf8.contains(where: special.contains) else { return buffer.append(cell) }
    buffer.append(UInt8(ascii: "\""))
    for byte in cell.utf8 {
      if byte == UInt8(ascii: "\"") { buffer.append(byte) }
      buffer.append(byte)
    }
    buffer.append(UInt8(ascii: "\""))
  }
}
