import Foundation

/// What the command line asks for.
struct Options {
  /// Events of one run of a job.
  var events: Int64 = 1_000_000
  /// Events that analytics on Kafka reads; those of a run where it is not said.
  var eventsConsumed: Int64 { consumed ?? events }
  private var consumed: Int64?
  var rounds = 9
  var json = false
  /// Also 10 million events in the step `processes`.
  var tenMillion = false
  /// Kafka steps run against these; `nil`: none.
  var brokers: String?
  /// The `orderstream` to start as a process; `nil`: the one beside this program.
  var binary: String?
  /// Groups of steps to run.
  var steps: Set<Step> = [.processes, .memory, .embedded, .kafka]
  /// The regression gate: print what one event of this loop costs.
  var count: String?
  /// The regression gate: print what this job costs on a log of many partitions beside one of few.
  var growth: String?

  enum Step: String, CaseIterable {
    case processes, memory, embedded, kafka
  }

  static let usage = """
    orderstream-bench: how fast the canonical jobs are, beside plain alternatives in the same run

    Usage: orderstream-bench [options]

      --events <n>       Events of one run. [default: 1000000]
      --consumed <n>     Events that analytics on Kafka and its C loop read. [default: as --events]
      --rounds <n>       Interleaved rounds; medians are shown. [default: 9]
      --quick            The same as --events 200000 --rounds 3.
      --ten-million      Memory and growth also at 10 million events (10 GB of disk).
      --brokers <list>   Also on this Kafka cluster, beside plain C. [env: ORDERSTREAM_BROKERS, if it names one]
      --only <steps>     Some of processes,memory,embedded,kafka.
      --binary <path>    The orderstream to start as a process. [default: beside this program]
      --json             One JSON document instead of the table.
      --count <loop>     For the regression gate, instead of everything else: instructions an event and allocations
                         a batch of encode, publish, decode, metrics or inventory.
      --growth <job>     For the regression gate: SQLite's steps and allocations of opening, status, reading or
                         committing on a log of 100 and one of 1000 partitions.

    """

  init(_ arguments: [String], environment: [String: String]) throws {
    if let named = environment["ORDERSTREAM_BROKERS"], !named.hasPrefix("embedded") { brokers = named }
    var rest = arguments[...]
    func value(of option: String) throws -> String {
      guard let value = rest.popFirst() else { throw BenchError("\(option) needs a value") }
      return value
    }
    func number(of option: String) throws -> Int64 {
      let text = try value(of: option)
      guard let number = Int64(text), number > 0 else { throw BenchError("\(option) needs a number, not \(text)") }
      return number
    }
    while let option = rest.popFirst() {
      switch option {
      case "--events": events = try number(of: option)
      case "--consumed": consumed = try number(of: option)
      case "--rounds": rounds = Int(try number(of: option))
      case "--quick": (events, rounds) = (200_000, 3)
      case "--ten-million": tenMillion = true
      case "--brokers": brokers = try value(of: option)
      case "--binary": binary = try value(of: option)
      case "--json": json = true
      case "--only": steps = try Self.steps(try value(of: option))
      case "--count": count = try value(of: option)
      case "--growth": growth = try value(of: option)
      case "--help", "-h":
        print(Self.usage, terminator: "")
        exit(0)
      default: throw BenchError("unknown option \(option); see --help")
      }
    }
  }

  private static func steps(_ list: String) throws -> Set<Step> {
    try Set(
      list.split(separator: ",").map { name in
        guard let step = Step(rawValue: String(name)) else { throw BenchError("there is no step \(name)") }
        return step
      })
  }
}
