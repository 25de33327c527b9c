import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// Members of one group in processes of their own, stopped and killed.
@Suite("Groups of processes")
struct GroupTests {
  private func shares(_ stage: Stage, _ group: String) throws -> [Int] {
    let found = try stage.json("status", "-g", group)["groups"][0]
    return found["members"].elements.map { $0["partitions"].elements.count }.sorted()
  }

  private func lag(_ stage: Stage, _ group: String) throws -> Int? {
    try stage.json("status", "-g", group)["groups"][0]["lag"].int
  }

  /// Stops a process at a moment at which it holds no lock of the log.
  private func stopWithoutLock(_ child: Child, _ stage: Stage) throws {
    let locks = ["turn.lock", "write.lock"].map { open("\(stage.log)/\($0)", O_RDWR | O_CLOEXEC) }
    defer { for lock in locks { close(lock) } }
    for _ in 0..<100 {
      child.send(SIGSTOP)
      // The producer holds them too, for some milliseconds at a time.
      let limit = ContinuousClock.now + .milliseconds(300)
      while ContinuousClock.now < limit {
        let areFree = locks.allSatisfy { flock($0, LOCK_EX | LOCK_NB) == 0 }
        for lock in locks { flock(lock, LOCK_UN) }
        if areFree { return }
        usleep(500)
      }
      child.send(SIGCONT)
    }
    throw HarnessError("the child held a lock whenever it was stopped")
  }

  private func expectClean(_ stage: Stage, orders: Int) throws {
    let audit = try stage.json("audit", "--group", "inventory")
    #expect(audit["orders"].int == orders && audit["items"] == audit["inventory_events"])
    for key in ["lost", "duplicated", "phantom", "wrong_action", "reordered", "pending", "unverifiable"] {
      #expect(audit[key].int == 0, "\(key)")
    }
  }

  @Test("A member that is stopped past its lease is replaced, and nothing of its old generation lands")
  func zombie() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "100", "-q")
    let zombie = try stage.start("inventory", "--follow", "--json")
    try zombie.wait(for: "its work") { zombie.lines.contains { (try? JSON($0)["orders"].int) == 100 } }
    // Stopped in whatever it does at 3000 orders/s, except while it holds a lock: that is the test after this one.
    let producer = try stage.start("produce", "--events", "1500", "--rate", "3000/s", "-q")
    try eventually("more orders") { try SweepTests.values(stage).count > 300 }
    try stopWithoutLock(zombie, stage)
    #expect(try producer.end().code == 0)
    let start = ContinuousClock.now
    let heir = try stage.start("inventory", "--follow", "--json")
    try heir.wait(for: "the takeover", within: .seconds(12)) { try lag(stage, "inventory") == 0 }
    print("the partitions of a stopped member were taken over after \(ContinuousClock.now - start)")
    try expectClean(stage, orders: 1600)
    zombie.send(SIGCONT)
    try eventually("both are members again", about: { zombie.errors }) { try shares(stage, "inventory") == [3, 3] }
    try stage.run("produce", "--events", "400", "-q")
    try eventually("no lag") { try lag(stage, "inventory") == 0 }
    for child in [zombie, heir] {
      child.send(SIGTERM)
      #expect(try child.end().code == 0)
    }
    try expectClean(stage, orders: 2000)
  }

  @Test("While a stopped process holds the write lock the others wait and say so, and go on when it does")
  func stoppedHolder() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "200", "-q")
    let member = try stage.start("inventory", "--follow")
    try eventually("its work") { try stage.json("status", "-g", "inventory")["groups"][0]["lag"].int == 0 }
    // Stopped after the commit and before the lock is given back, so the member has something to commit and cannot.
    let holder = try stage.start(
      ["produce", "--events", "100", "--json"],
      environment: ["ORDERSTREAM_FAILPOINT": "log/after-commit", "ORDERSTREAM_FAILPOINT_SIGNAL": "\(SIGSTOP)"])
    try holder.wait(for: "its stop") { holder.errors.contains("failpoint log/after-commit") }
    let late = try stage.start("analytics", "-q")
    try member.wait(for: "a word about the lock", within: .seconds(40)) { member.errors.contains("write lock") }
    #expect(try stage.json("status", "-g", "inventory")["groups"][0]["lag"].int != 0)
    // One that has not begun gives up in words, with the code for "try again".
    let refused = try late.end(within: .seconds(40))
    #expect(refused.code == 75 && refused.errors.contains("stopped"), "\(refused)")
    holder.send(SIGCONT)
    let produced = try holder.end()
    #expect(try produced.code == 0 && produced.document["acknowledged"].int == 100, "\(produced)")
    try eventually("no lag", about: { member.errors }) { try lag(stage, "inventory") == 0 }
    member.send(SIGTERM)
    #expect(try member.end().code == 0)
    try expectClean(stage, orders: 300)
  }

  @Test(
    "A signal ends a command within 5 s, in one line, also while nothing answers", arguments: ["analytics", "produce"])
  func stopWithoutAnswer(_ command: String) throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "200", "-q")
    let holder = try stage.start(
      ["produce", "--events", "100", "-q"],
      environment: ["ORDERSTREAM_FAILPOINT": "log/after-commit", "ORDERSTREAM_FAILPOINT_SIGNAL": "\(SIGSTOP)"])
    defer { try? holder.destroy() }
    try holder.wait(for: "its stop") { holder.errors.contains("failpoint log/after-commit") }
    // Its commit waits for the lock of the stopped process.
    let waiting = try stage.start(command, "-q")
    try eventually("its turn for the write lock") { isLocked("\(stage.log)/turn.lock") }
    let start = ContinuousClock.now
    waiting.send(SIGTERM)
    let outcome = try waiting.end(within: .seconds(20))
    #expect(ContinuousClock.now - start < .seconds(5))
    #expect([75, 143].contains(outcome.code), "\(outcome)")
    let lines = outcome.errors.split(separator: "\n")
    #expect(lines.count <= 1 && lines.allSatisfy { $0.hasPrefix("error: ") }, "\(outcome)")
  }

  private func isLocked(_ path: String) -> Bool {
    let file = open(path, O_RDWR)
    defer { close(file) }
    return flock(file, LOCK_EX | LOCK_NB) != 0
  }

  @Test("The partitions of a killed member are taken over within 5 s")
  func takeover() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "100", "-q")
    let members = try (0..<2).map { _ in try stage.start("inventory", "--follow", "-q") }
    try eventually("both of them have partitions") { try shares(stage, "inventory") == [3, 3] }
    try members[0].destroy()
    let start = ContinuousClock.now
    try eventually("the takeover", within: .seconds(5)) { try shares(stage, "inventory") == [6] }
    print("the partitions of a killed member were taken over after \(ContinuousClock.now - start)")
    try stage.run("produce", "--events", "100", "-q")
    try eventually("no lag") { try lag(stage, "inventory") == 0 }
    members[1].send(SIGTERM)
    #expect(try members[1].end().code == 0)
    try expectClean(stage, orders: 200)
  }

  @Test("Members that come, go and die all the time lose nothing and double nothing")
  func storm() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("storm: seed \(seed)")
    var random = SeededRandom(seed: seed)
    let stage = try Stage()
    try stage.run("produce", "--events", "200", "-q")
    let producer = try stage.start("produce", "--events", "4000", "--rate", "1000/s", "-q")
    var members: [[Child]] = [[], []]
    let lines = [["inventory", "--follow", "-q"], ["analytics", "--follow", "-q", "--output", "-"]]
    while producer.isRunning {
      for (kind, line) in lines.enumerated() {
        if members[kind].count < 4 {
          members[kind].append(try stage.start(line))
        } else {
          let leaving = members[kind].remove(at: Int(random.below(4)))
          leaving.send(Bool.random(using: &random) ? SIGKILL : SIGTERM)
          // A very young process has no handlers yet.
          let outcome = try leaving.end()
          #expect([0, 143, 1000 + SIGTERM, 1000 + SIGKILL].contains(outcome.code), "seed \(seed): \(outcome)")
        }
      }
      usleep(UInt32(random.below(150_000)))
    }
    #expect(try producer.end().code == 0)
    for group in ["inventory", "analytics"] {
      try eventually("no lag of \(group), seed \(seed)") { try lag(stage, group) == 0 }
    }
    for child in members.joined() {
      child.send(SIGTERM)
      let outcome = try child.end()
      #expect([0, 143, 1000 + SIGTERM].contains(outcome.code), "seed \(seed): \(outcome)")
    }
    try expectClean(stage, orders: 4200)
    #expect(try stage.json("analytics")["total_orders"].int == 4200, "seed \(seed)")
  }

  @Test("Members share the orders: disjoint and complete")
  func disjoint() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "3000", "-q")
    let members = try (0..<4).map { _ in try stage.start("inventory", "--json", "-q") }
    let outcomes = try members.map { try $0.end() }
    #expect(outcomes.allSatisfy { $0.code == 0 }, "\(outcomes)")
    #expect(try outcomes.compactMap { try $0.document["orders"].int }.reduce(0, +) == 3000)
    try expectClean(stage, orders: 3000)
  }
}
