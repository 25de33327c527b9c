/// The tool as whole processes: start-up and memory.
struct ProcessSuite {
  let options: Options
  let binary: String
  let directory: TemporaryDirectory

  private static let memoryLimitMegabytes = 100.0
  private static let spawns = 15

  func run() throws -> [Row] {
    var rows = try startUp()
    var sizes: [Int64] = [options.events]
    if options.tenMillion { sizes.append(10_000_000) }
    for size in sizes { rows += try memory(events: size) }
    return rows
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
      Row("orderstream --version", version.median, "ms", samples: version).atMost(15),
      Row("produce --events 10000, new log", produce.median, "ms", samples: produce).atMost(100),
    ]
  }

  private func memory(events: Int64) throws -> [Row] {
    defer { directory.remove("log") }
    let jobs = [
      ["produce", "--events", "\(events)", "--seed", "42", "--span", "1h"], ["analytics", "--output", "-"],
      ["inventory"], ["audit"], ["replay"],
    ]
    return try jobs.map { job in
      let child = try start(job + ["-q", "-b", log])
      let seconds = Row.rounded(child.milliseconds / 1000, 1)
      return Row("\(job[0]), \(Row.short(Double(events))) events (\(seconds) s)", child.peakMegabytes, "MB")
        .atMost(Self.memoryLimitMegabytes)
    }
  }

  private var log: String { "embedded:\(directory.path)/log" }

  private func start(_ arguments: [String]) throws -> ChildProcess {
    try ChildProcess.run(binary, arguments, in: directory.path)
  }
}
