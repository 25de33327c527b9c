import Foundation
import OrderStreamTestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A secret is given in every way there is, and looked for in everything that comes out.
@Suite("Secrets")
struct SecretTests {
  private static let canary = "c4n4ry-7h47-n0b0dy-may-533"
  /// Nobody listens there.
  private static let nowhere = ["-b", "localhost:1"]

  static let lines: [[String]] = [
    nowhere + ["-v", "-X", "sasl.password=\(canary)", "-X", "sasl.username=u", "-X", "sasl.mechanisms=PLAIN"],
    nowhere + ["-v", "-X", "debug=all", "-X", "ssl.key.pem=\(canary)"],
    nowhere + ["-X", "sasl.passwordd=\(canary)"], nowhere + ["-X", "ssl.key.password=\(canary)", "-X", "acks=0"],
    nowhere + ["-X", "sasl.password=\(canary)", "-X", "security.protocol=no\(canary)"],
    nowhere + ["-X", "sasl.password \(canary)"], nowhere + ["-X=sasl.password=\(canary)", "--nonsense"],
    ["-b", "user:\(canary)@localhost:1"], ["-X", "sasl.password=\(canary)"],
    nowhere + ["-F", "secret.properties", "-v"], nowhere + ["-F", "broken.properties", "-v"],
  ]

  @Test("A secret is in no output, log, error or file", arguments: lines)
  func outputs(line: [String]) throws {
    let stage = try Stage()
    try stage.write("secret.properties", "sasl.password=\(Self.canary)\nsasl.username=u\nsasl.mechanisms=PLAIN\n")
    try stage.write("broken.properties", "sasl.password \(Self.canary)\n")
    let files = try stage.files
    for environment in [[:], ["ORDERSTREAM_CONFIG": "secret.properties", "ORDERSTREAM_LOG_LEVEL": "debug"]] {
      let child = try stage.start(["status", "--json"] + line, environment: environment)
      try eventually("an error, or a word about the broker") { !child.isRunning || !child.errors.isEmpty }
      child.send(SIGTERM)
      let outcome = try child.end()
      #expect(!outcome.errors.contains(Self.canary) && !outcome.text.contains(Self.canary), "\(outcome)")
    }
    #expect(try stage.files == files, "nothing was dumped")
  }

  #if os(Linux)
    @Test("A secret is in no list of processes, and in no memory dump")
    func processList() throws {
      let stage = try Stage()
      let pipe = try PipeEnds()
      defer { close(pipe.write) }
      let child = try stage.start(
        [
          "produce", "--input", "-", "-X", "sasl.password=\(Self.canary)", "-Xssl.key.password=\(Self.canary)",
          "-X=ssl.keystore.password=\(Self.canary)",
        ],
        input: pipe.read, environment: ["ORDERSTREAM_BROKERS": "embedded"], prelude: "ulimit -c unlimited")
      close(pipe.read)
      func proc(_ name: String) -> String {
        (try? String(contentsOfFile: "/proc/\(child.pid)/\(name)", encoding: .utf8)) ?? ""
      }
      // Until the shell has become the program, and the program has read its arguments.
      try eventually("hidden values") { !child.isRunning || proc("cmdline").contains("sasl.password=***") }
      if child.isRunning {
        #expect(!proc("cmdline").contains(Self.canary), "\(proc("cmdline"))")
        let limit = proc("limits").split(separator: "\n").first { $0.hasPrefix("Max core file size") }
        #expect(limit?.split(separator: " ").dropFirst(4).first == "0", "\(limit ?? "")")
      } else {
        Issue.record("it should wait for its input: \(child.errors)")
      }
    }
  #endif
}
