import CBaseline
import Foundation
import OrderStreamCore
import OrderStreamEmbedded

/// The embedded log, beside a plain file and beside the same work in memory.
struct EmbeddedSuite {
  let options: Options
  let ready: ReadyOrders
  let directory: TemporaryDirectory

  private final class Found {
    var file: [Sample] = []
    var fileInventory: [Sample] = []
    var append: [Sample] = []
    var scan: [Sample] = []
    var produce: [Sample] = []
    var memory: [Sample] = []
    var analytics: [Sample] = []
    var oneCore: [Sample] = []
    /// Beside `oneCore`, in turn: the first job after the producer meets a disk that is still busy.
    var allCores: [Sample] = []
    var inventory: [Sample] = []
    var small: [Sample] = []
    var smallAnalytics: [Sample] = []
    var minutes: [Sample] = []
    var tail: [Double] = []
  }

  func run() throws -> [Row] {
    let found = Found()
    let loops = Loops(ready)
    for number in 0..<options.rounds { try round(number, found, loops) }
    var analytics = Row("embedded analytics", rate: found.analytics)
    analytics = analytics.atLeast(0.6, of: found.memory.medianPerSecond, "decode + metrics, one thread")
    try onNewLog({ jobs in found.tail = try TailDelay(broker: jobs.broker).measure() })
    return [
      Row("plain file, fdatasync a commit", rate: found.file),
      Row("embedded append, ready bytes", rate: found.append),
      Row("embedded scan", rate: found.scan),
      Row("embedded produce", rate: found.produce).atLeast(0.75, of: found.file.medianPerSecond, "plain file"),
      analytics, Row("embedded analytics, absolute", found.analytics.medianPerSecond, "events/s").atLeast(4e6),
    ] + oneCore(found) + [
      Row("C: read, append, fdatasync a commit", rate: found.fileInventory),
      Row("embedded inventory", rate: found.inventory)
        .atLeast(0.6, of: found.fileInventory.medianPerSecond, "C, the same bytes"),
      growth("produce, 10 × the events", found.produce, found.small),
      growth("analytics, 10 × the events", found.analytics, found.smallAnalytics),
      growth("analytics, 100 × the minutes", found.minutes, found.analytics),
      Row("analytics --follow, behind a commit", found.tail.median, "ms", samples: found.tail).atMost(20),
    ]
  }

  /// Nothing on a machine of one core.
  private func oneCore(_ found: Found) -> [Row] {
    if found.oneCore.isEmpty { return [] }
    return [
      Row("embedded analytics, one core", rate: found.oneCore),
      Row("embedded analytics, all cores", rate: found.allCores)
        .atLeast(1.7, of: found.oneCore.medianPerSecond, "one core"),
    ]
  }

  /// Processor time an event beside that of fewer events or minutes: the clock of a shared machine tells of others too.
  private func growth(_ job: String, _ many: [Sample], _ few: [Sample]) -> Row {
    Row(job, many.medianProcessorNanoseconds, "ns CPU/event")
      .atMost(
        1.05, of: few.medianProcessorNanoseconds, "\(Row.short(Double(few.first?.events ?? 0))) events, 60 minutes")
  }

  private func round(_ number: Int, _ found: Found, _ loops: Loops) throws {
    let events = options.events
    found.memory.append(try Sample.measure(events: events) { try loops.decodeAndCount(events, threads: 1) })
    try onNewLog(
      { jobs in
        let before = footprint
        found.produce.append(try jobs.produce(ReadyOrders.options(count: events)))
        found.file.append(try plainFile(events, like: footprint.since(before)))
      },
      { jobs in found.analytics.append(try jobs.analytics(group: "analytics")) },
      { jobs in try cores(number.isMultiple(of: 2), jobs, found) },
      { jobs in try cores(!number.isMultiple(of: 2), jobs, found) },
      { jobs in
        try jobs.createTopic("inventory-events")
        let before = footprint
        found.inventory.append(try jobs.inventory(group: "inventory", output: "inventory-events"))
        found.fileInventory.append(try plainInventory(events, like: footprint.since(before)))
      })
    try onNewLog(
      { jobs in found.append.append(try jobs.append(ready, count: events, topic: Jobs.topic)) },
      { jobs in found.scan.append(try jobs.scan(topic: Jobs.topic, count: events)) })
    try onNewLog(
      { jobs in found.small.append(try jobs.produce(ReadyOrders.options(count: events / 10))) },
      { jobs in found.smallAnalytics.append(try jobs.analytics(group: "analytics")) })
    try onNewLog(
      { jobs in _ = try jobs.produce(ReadyOrders.options(count: events, minutes: 6000)) },
      { jobs in found.minutes.append(try jobs.analytics(group: "analytics")) })
  }

  private func cores(_ all: Bool, _ jobs: Jobs, _ found: Found) throws {
    if all {
      found.allCores.append(try jobs.analytics(group: "all"))
    } else if baseline_use_one_core() {
      defer { baseline_use_all_cores() }
      found.oneCore.append(try jobs.analytics(group: "one"))
    }
  }

  /// Each job opens the log anew, as a process of its own would, so that none pays for what the one before left undone.
  private func onNewLog(_ jobs: ((Jobs) throws -> Void)...) throws {
    defer { directory.remove("log") }
    for (index, job) in jobs.enumerated() {
      let broker = try EmbeddedBroker.open(directory: "\(directory.path)/log", log: SilentLog(), time: SystemTime())
      let jobs = Jobs(broker: broker)
      if index == 0 { try jobs.createTopic(Jobs.topic) }
      try job(jobs)
    }
  }

  private var footprint: LogFootprint { LogFootprint(directory: "\(directory.path)/log") }

  /// The same number of records in the same number of commits.
  private func plainFile(_ events: Int64, like log: LogFootprint) throws -> Sample {
    defer { directory.remove("plain") }
    return try Sample.measureActive { try write(events, perSync: log.eventsPerCommit(events)) }
  }

  private func write(_ events: Int64, perSync: Int64) throws -> (Int64, Int64) {
    var result = baseline_result()
    let bytes = ready.bytes.bytes.assumingMemoryBound(to: UInt8.self).baseAddress
    guard baseline_file("\(directory.path)/plain", bytes, ready.valueBytes, events, perSync, &result) else {
      throw BenchError("the plain file failed: \(result.sentence)")
    }
    return (result.records, result.nanoseconds)
  }

  /// As many orders, as many bytes for each, as many commits.
  private func plainInventory(_ events: Int64, like log: LogFootprint) throws -> Sample {
    defer {
      directory.remove("plain")
      directory.remove("events")
    }
    _ = try write(events, perSync: events)
    return try Sample.measureActive {
      var result = baseline_result()
      guard
        baseline_file_inventory(
          "\(directory.path)/plain", "\(directory.path)/events", ready.valueBytes, Int(log.segmentBytes / events),
          events,
          log.eventsPerCommit(events), &result)
      else { throw BenchError("the plain inventory failed: \(result.sentence)") }
      return (result.records, result.nanoseconds)
    }
  }
}

/// What a log has on the disk, or what a job has added to it.
private struct LogFootprint {
  /// Of the files in `segments`.
  var segmentBytes: Int64 = 0
  /// Transactions that changed the log.
  var changes: Int64 = 0

  init(directory: String) {
    let files = FileManager.default
    for name in (try? files.contentsOfDirectory(atPath: directory + "/segments")) ?? [] {
      let size = try? files.attributesOfItem(atPath: "\(directory)/segments/\(name)")[.size] as? NSNumber
      segmentBytes += size?.int64Value ?? 0
    }
    // Slot 0 of the mark outside the database has the number of the last change in its second word.
    guard let marks = FileManager.default.contents(atPath: directory + "/marks"), marks.count >= 16 else { return }
    changes = marks.withUnsafeBytes { Int64(littleEndian: $0.loadUnaligned(fromByteOffset: 8, as: Int64.self)) }
  }

  func since(_ before: LogFootprint) -> LogFootprint {
    var difference = self
    difference.segmentBytes -= before.segmentBytes
    difference.changes -= before.changes
    return difference
  }

  func eventsPerCommit(_ events: Int64) -> Int64 { max(1, events / max(1, changes)) }
}
