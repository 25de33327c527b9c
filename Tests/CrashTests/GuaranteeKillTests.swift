import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// What a kill between the two halves of a commit costs that is no transaction: that very commit, and nothing else.
@Suite("Kills under a weaker guarantee")
struct GuaranteeKillTests {
  static let betweenSteps = "commit/between-steps"

  @Test(
    "Killed between outputs and offsets, the last commit is doubled or lost, as was agreed, and nothing else is",
    arguments: TestBroker.all, [Guarantee.atLeastOnce, .atMostOnce])
  func killed(_ broker: TestBroker, _ guarantee: Guarantee) throws {
    let stage = try Stage(broker)
    let line = ["inventory", "--guarantee", guarantee.rawValue, "-q"]
    try stage.run("produce", "--events", "30", "--partitions", "2", "-q")
    #expect(try stage.start(line).end().code == 0)
    let before = try stage.json("audit", "--no-group")
    try stage.run("produce", "--events", "10", "-q")
    #expect(try Sweep.kill(line, at: Self.betweenSteps, stage) == Self.betweenSteps)
    #expect(try stage.start(line).end().code == 0)
    let audit = try stage.json("audit", "--no-group", exits: 1)
    let last = try #require(audit["items"].int) - #require(before["items"].int)
    #expect(before["orders"].int == 30 && audit["orders"].int == 40 && last >= 10)
    let isDoubled = guarantee == .atLeastOnce
    #expect(audit["duplicated"].int == (isDoubled ? last : 0) && audit["lost"].int == (isDoubled ? 0 : last))
    for key in ["phantom", "wrong_action", "reordered"] { #expect(audit[key].int == 0 || isDoubled, "\(key)") }
  }
}
