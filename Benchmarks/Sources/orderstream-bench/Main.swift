import CCounters
import Foundation

@main
struct Main {
  static func main() {
    do {
      let options = try Options(
        Array(CommandLine.arguments.dropFirst()), environment: ProcessInfo.processInfo.environment)
      if let job = options.growth {
        print(try GrowthCount(job).line)
      } else if let count = options.count {
        let cost = try CostCount(count)
        func word(_ number: (some CustomStringConvertible)?) -> String { number?.description ?? "unknown" }
        print(count, word(cost.instructionsPerEvent), word(cost.allocationsPerBatch))
      } else {
        let result = try run(options)
        print(options.json ? result.json : result.text, terminator: "")
      }
    } catch {
      FileHandle.standardError.write(Data("orderstream-bench: \(error)\n".utf8))
      exit(1)
    }
  }

  private static func run(_ options: Options) throws -> ResultTable {
    let directory = try TemporaryDirectory()
    let load = Usage.loadAverage
    var rows: [Row] = []
    // First, while this process is small: see ChildProcess.
    guard let binary = options.binary ?? Bundle.main.executablePath.map({ String($0.dropLast("-bench".count)) }) else {
      throw BenchError("name the program with --binary")
    }
    if options.steps.contains(.processes) {
      say("whole processes")
      rows += try ProcessSuite(options: options, binary: binary, directory: directory).run()
    }
    let ready = ReadyOrders()
    if options.steps.contains(.memory) {
      say("loops in memory")
      rows += try MemorySuite(options: options, ready: ready).run()
    }
    if options.steps.contains(.embedded) {
      say("embedded log")
      rows += try EmbeddedSuite(options: options, ready: ready, directory: directory).run()
    }
    if options.steps.contains(.kafka), let brokers = options.brokers {
      say("Kafka at \(brokers)")
      rows += try KafkaSuite(
        options: options, brokers: brokers, ready: ready, binary: binary, directory: directory
      ).run()
    }
    return ResultTable(
      machine: ResultTable.Machine(
        cores: ProcessInfo.processInfo.activeProcessorCount, loadBefore: load, loadAfter: Usage.loadAverage,
        rounds: options.rounds, events: options.events, countsAllocations: allocation_counter_is_active()),
      rows: rows)
  }

  private static func say(_ step: String) {
    FileHandle.standardError.write(Data("measuring: \(step)\n".utf8))
  }
}
