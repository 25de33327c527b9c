import Foundation
import OrderStreamTestSupport

/// Kills a command at each of its places in turn (see `Failpoint`): at the first, at the second, … until a run finishes.
enum Sweep {
  /// More places than any command here has.
  private static let mostPlaces = 400

  /// The exit code of a child that SIGKILL ended.
  private static let killed: Int32 = 1000 + SIGKILL

  /// - Parameters:
  ///   - places: names that the command must pass, so that a sweep cannot grow blind.
  ///   - environment: of the runs that are killed.
  ///   - stage: what the n-th run works on, prepared.
  ///   - after: what must hold after the kill at a place, `nil` after the run that was not killed.
  static func run(
    _ line: [String], passing places: [String], environment: [String: String] = [:],
    stage: (_ run: Int) throws -> Stage,
    after: (_ stage: Stage, _ place: String?) throws -> Void
  ) throws {
    var seen: Set<String> = []
    var runs = 0
    func killed(at place: String) throws -> String? {
      runs += 1
      let stage = try stage(runs)
      let name = try kill(line, at: place, stage, environment: environment)
      do { try after(stage, name) } catch { throw HarnessError("place \(place), \(name ?? "not killed"): \(error)") }
      return name
    }
    while let place = try killed(at: "\(runs + 1)") {
      seen.insert(place)
      guard runs < mostPlaces else { throw HarnessError("\(line) has more than \(mostPlaces) places") }
    }
    // Threads do not take turns the same way each time, so a number may miss a place; its name does not.
    for place in Set(places).subtracting(seen).sorted() where try killed(at: place) != place {
      throw HarnessError("\(line) never came to \(place), only to \(seen.sorted())")
    }
  }

  /// Runs a command that is killed at one place, given by number or by name.
  /// - Returns: the name of the place; `nil` when the run ended before it, with exit code 0.
  static func kill(
    _ line: [String], at place: String, _ stage: Stage, environment: [String: String] = [:]
  ) throws -> String? {
    let armed = environment.merging(["ORDERSTREAM_FAILPOINT": place]) { $1 }
    let outcome = try stage.start(line, environment: armed).end()
    if outcome.code == killed {
      let last = outcome.errors.split(separator: "\n").last { $0.hasPrefix("failpoint ") }
      guard let last else { throw HarnessError("killed, and not at a place: \(outcome)") }
      return String(last.dropFirst("failpoint ".count))
    }
    guard outcome.code == 0 else { throw HarnessError("\(outcome)") }
    return nil
  }
}
