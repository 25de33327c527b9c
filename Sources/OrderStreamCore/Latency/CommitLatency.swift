/// Measures how long records take from their timestamp to the commit that covers them, on the wall clock in milliseconds.
/// Clocks of two machines may differ: a record from the future has a latency of 0.
struct CommitLatency {
  private var recorder = LatencyRecorder()
  /// What is stamped before belongs to the first second, whatever was there before the run too.
  private var border: Int64?

  /// The run has got partitions: its first second begins, unless it has begun before.
  mutating func begin(at now: Int64) { border = border ?? now + LatencyRecorder.firstPart.milliseconds }

  /// Records with these timestamps are committed.
  mutating func record(_ times: TimeRuns, at now: Int64) {
    recorder.record(times, at: now, border: border ?? .max, in: .milliseconds)
  }

  var figures: LatencyFigures { recorder.figures }
}

extension TimeRuns {
  /// Timestamps that differ by less than this part of their age become one: a histogram does not tell them apart.
  static let agePart: Int64 = 4096

  /// Adds the timestamps of these records; records without one are left out. Who catches up reads millions a second, most of
  /// them so old that a few runs hold them.
  mutating func append(_ batch: RecordBatch, _ range: Range<Int>, at now: Int64) {
    var run = Run(time: 0, count: 0)
    var tolerance: UInt64 = 0
    batch.entries.withUnsafeBufferPointer { entries in
      for entry in entries[range] {
        // Later ones join the first, so the oldest of a run is exact.
        if UInt64(bitPattern: entry.timestampMs &- run.time) > tolerance || run.count == 0 {
          append(run)
          run = Run(time: entry.timestampMs, count: 0)
          tolerance = UInt64(max(0, now &- entry.timestampMs) / Self.agePart)
        }
        run.count &+= 1
      }
    }
    append(run)
  }

  private mutating func append(_ run: Run) {
    guard run.count > 0, run.time >= 0 else { return }
    if run.time != last.time { begin(run.time) }
    last.count &+= run.count
  }
}
