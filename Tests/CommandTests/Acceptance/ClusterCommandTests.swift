import OrderStreamTestSupport
import Testing

/// What can be said about Kafka clusters without one.
@Suite("Clusters that do not answer")
struct ClusterCommandTests {
  // Nothing listens on port 1 of this machine.
  private static let nowhere = "127.0.0.1:1"

  @Test func anUnreachableClusterEndsWith69WithinTenSecondsAndIsNamed() throws {
    let stage = try Stage()
    // Side by side, because each of them may take its ten seconds.
    let start = ContinuousClock.now
    let children = try ["produce", "analytics", "status"].map { try stage.start($0, "-b", Self.nowhere, "--json") }
    for child in children {
      let outcome = try child.end(within: .seconds(30))
      #expect(outcome.code == 69 && outcome.output.isEmpty, "\(outcome)")
      #expect(outcome.errorLines.count == 1 && outcome.errorLines[0].contains(Self.nowhere), "\(outcome)")
    }
    // Ten seconds are promised; two more are for a busy machine to start and end processes.
    #expect(ContinuousClock.now - start < .seconds(12))
    #expect(!stage.hasLog)
  }

  @Test func aSignalEndsTheWaitForACluster() throws {
    let stage = try Stage()
    let child = try stage.start("status", "-b", Self.nowhere, "--wait", "10m", "-v")
    try child.wait(for: "a word about the attempt") { !child.errors.isEmpty }
    child.send(2)
    #expect(try child.end(within: .seconds(10)).code == 130)
  }

  @Test(arguments: [
    "enable.idempotence=false", "isolation.level=read_uncommitted", "enable.auto.commit=true", "no.such.property=1",
    "acks=0",
  ])
  func aPropertyThatCarriesAPromiseOrDoesNotExistIsRefusedInWords(property: String) throws {
    let stage = try Stage()
    for command in ["produce", "inventory"] {
      let outcome = try stage.run(command, "-b", Self.nowhere, "-X", property, exits: 78)
      #expect(outcome.errorLines.count == 1 && outcome.output.isEmpty, "\(outcome)")
      #expect(outcome.errors.contains(property.split(separator: "=")[0]), "\(outcome)")
    }
  }

  @Test func aSecretIsNeverSaid() throws {
    let stage = try Stage()
    try stage.write("config", "sasl.password=hunter2\nsasl.mechanism=PLAIN\nsecurity.protocol=sasl_plaintext\n")
    let outcome = try stage.start(["status", "-b", Self.nowhere, "-F", "config", "-v"]).end(within: .seconds(30))
    #expect(outcome.code != 0 && !outcome.errors.contains("hunter2") && !outcome.text.contains("hunter2"), "\(outcome)")
  }

  @Test(arguments: ["produce --events x", "analytics --output /nowhere/at/all", "produce --input nowhere"])
  func optionsAndPathsAreCheckedBeforeTheClusterIsAsked(line: String) throws {
    let stage = try Stage()
    let start = ContinuousClock.now
    let outcome = try stage.start(line.split(separator: " ").map(String.init) + ["-b", Self.nowhere]).end()
    #expect([64, 66, 73].contains(outcome.code), "\(outcome)")
    #expect(ContinuousClock.now - start < .seconds(5))
  }
}
