import Foundation

/// The tool as whole processes on the embedded log: start-up, memory, and what ten times the events cost.
struct ProcessSuite {
  let options: Options
  let binary: String
  let directory: TemporaryDirectory

  private static let memoryLimitMegabytes = 100.0
  private static let spawns = 15
  private static let growthRounds = 3
  /// In the order in which one log meets them.
  private static let jobs = [
    ["produce", "--seed", "42", "--span", "1h"], ["analytics", "--output", "-"], ["inventory"], ["audit"], ["replay"],
  ]

  func run() throws -> [Row] {
    // First, while the disk has nothing left to write.
    let start = try startUp()
    let runs = try runJobs(events: options.events)
    return try start + memory(runs, events: options.events) + written(runs[0]) + (options.tenMillion ? growth() : [])
  }

  private func startUp() throws -> [Row] {
    var version: [Double] = []
    var produce: [Double] = []
    for index in 0..<Self.spawns {
      version.append(try start(["--version"]).milliseconds)
      if index % 2 == 0 {
        produce.append(try start(["produce", "--events", "10000", "-q", "-b", log]).milliseconds)
        directory.remove("log")
      }
    }
    return [
      Row("orderstream --version", version.median, "ms", samples: version).atMost(8),
      Row("produce --events 10000, new log", produce.median, "ms", samples: produce).atMost(40),
    ]
  }

  /// Nothing where the system does not count it.
  private func written(_ produce: ChildProcess) -> [Row] {
    if produce.writtenBytes == 0 { return [] }
    let payload = Double(ReadyOrders().averageBytes) * Double(options.events)
    return [
      Row("produce, bytes written", Double(produce.writtenBytes) / 1e6, "MB").atMost(
        1.25, of: payload / 1e6, "keys + values")
    ]
  }

  /// Every job once, on a new log.
  private func runJobs(events: Int64) throws -> [ChildProcess] {
    defer { directory.remove("log") }
    return try Self.jobs.map { job in
      try start(job + (job[0] == "produce" ? ["--events", "\(events)"] : []) + ["-q", "-b", log])
    }
  }

  private func memory(_ runs: [ChildProcess], events: Int64) -> [Row] {
    zip(Self.jobs, runs).map { job, run in
      Row(
        "\(job[0]), \(Row.short(Double(events))) events (\(Row.rounded(run.milliseconds / 1000, 1)) s)",
        run.peakMegabytes, "MB"
      ).atMost(Self.memoryLimitMegabytes)
    }
  }

  /// Memory at ten million events, and their time beside that of ten times a million, each round both.
  private func growth() throws -> [Row] {
    var large = Self.jobs.map { _ in [Double]() }
    var small = large
    var last: [ChildProcess] = []
    for _ in 0..<Self.growthRounds {
      last = try runJobs(events: 10_000_000)
      for (job, run) in last.enumerated() { large[job].append(run.milliseconds / 1000) }
      var sums = Self.jobs.map { _ in 0.0 }
      for _ in 0..<10 {
        for (job, run) in try runJobs(events: 1_000_000).enumerated() { sums[job] += run.milliseconds / 1000 }
      }
      for job in sums.indices { small[job].append(sums[job]) }
    }
    let times = Self.jobs.indices.map { job in
      var row = Row("\(Self.jobs[job][0]), 10 M events", large[job].median, "s", samples: large[job])
      row.processorNanosecondsPerEvent = last[job].processorMilliseconds * 1e6 / 10_000_000
      return row.atMost(1.05, of: small[job].median, "ten runs of 1 M")
    }
    return memory(last, events: 10_000_000) + times
  }

  private var log: String { "embedded:\(directory.path)/log" }

  private func start(_ arguments: [String]) throws -> ChildProcess {
    try ChildProcess.run(binary, arguments, in: directory.path)
  }
}
