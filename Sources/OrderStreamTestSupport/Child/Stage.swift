import Foundation
import Testing

/// Everything that one test works with: a directory of its own, a log (or topics and groups on a cluster) of its own, a
/// clean environment.
package final class Stage {
  package let broker: TestBroker
  private let root = TemporaryDirectory()
  /// What no other test's topics and groups have in their names.
  private let mark = "test-" + String(UInt64.random(in: 0 ... .max), radix: 36)
  private var captures = 0

  package init(_ broker: TestBroker = .embedded) throws {
    self.broker = broker
    for name in ["work", "home", "capture"] {
      try FileManager.default.createDirectory(atPath: "\(root.path)/\(name)", withIntermediateDirectories: false)
    }
  }

  /// The working directory of every command.
  package var work: String { root.path + "/work" }
  /// The embedded log that commands use when nothing else is said.
  package var log: String { root.path + "/data/orderstream" }

  // MARK: - Names

  package var topic: String { own("order-events") }
  package var inventoryTopic: String { own("inventory-events") }
  package func group(_ name: String) -> String { own(name) }

  private func own(_ name: String) -> String {
    if case .kafka = broker { "\(mark)-\(name)" } else { name }
  }

  /// What a command needs to stay among this test's topics and groups; nothing on the embedded log.
  private func scope(_ arguments: [String]) -> [String] {
    guard case .kafka(let servers) = broker, let command = arguments.first else { return [] }
    func has(_ long: String, _ short: String) -> Bool { arguments.contains { $0 == long || $0 == short } }
    var scope = ["--brokers", servers]
    if !["lag-demo", "delete"].contains(command), !has("--topic", "-t") { scope += ["--topic", topic] }
    if ["inventory", "analytics"].contains(command), !has("--group", "-g") { scope += ["--group", group(command)] }
    if ["inventory", "audit"].contains(command), !has("--output-topic", "") {
      scope += ["--output-topic", inventoryTopic]
    }
    return scope
  }

  // MARK: - Running

  /// Where a child's stdout goes.
  package enum Output { case file, descriptor(Int32), closed, terminal(PseudoTerminal) }

  /// Starts a command and goes on.
  package func start(
    _ arguments: [String], input: Int32? = nil, output: Output = .file, errors: PseudoTerminal? = nil,
    environment: [String: String] = [:], directory: String? = nil, prelude: String? = nil
  ) throws -> Child {
    captures += 1
    let (outputFile, errorFile) = ("\(root.path)/capture/\(captures).out", "\(root.path)/capture/\(captures).err")
    return try Spawn.lock.withLock {
      let own = try [input == nil ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1, file(outputFile), file(errorFile)]
      defer { for descriptor in own where descriptor >= 0 { close(descriptor) } }
      var streams: [Int32?] = [input ?? own[0], own[1], errors?.childSide ?? own[2]]
      var terminal = errors
      switch output {
      case .file: break
      case .descriptor(let descriptor): streams[1] = descriptor
      case .closed: streams[1] = nil
      case .terminal(let given):
        streams[1] = given.childSide
        terminal = given
      }
      let plan = Spawn.Plan(
        arguments: arguments + scope(arguments), environment: self.environment.merging(environment) { $1 },
        directory: directory ?? work, streams: streams, prelude: prelude)
      return try Child(plan, outputFile: outputFile, errorFile: errorFile, terminal: terminal, place: root)
    }
  }

  package func start(_ arguments: String...) throws -> Child { try start(arguments) }

  /// Runs a command to its end and checks its exit code.
  @discardableResult
  package func run(
    _ arguments: String..., exits code: Int32 = 0, input: String? = nil, environment: [String: String] = [:],
    directory: String? = nil, prelude: String? = nil, location: SourceLocation = #_sourceLocation
  ) throws -> Outcome {
    var descriptor: Int32?
    if let input { descriptor = try inputFile(input) }
    defer { if let descriptor { close(descriptor) } }
    let outcome = try start(
      arguments, input: descriptor, environment: environment, directory: directory, prelude: prelude
    ).end()
    #expect(outcome.code == code, "\(outcome)", sourceLocation: location)
    return outcome
  }

  /// Runs a command with `--json` and returns its one document.
  package func json(
    _ arguments: String..., exits code: Int32 = 0, location: SourceLocation = #_sourceLocation
  ) throws -> JSON {
    let outcome = try start(arguments + ["--json"]).end()
    #expect(outcome.code == code, "\(outcome)", sourceLocation: location)
    return try outcome.document
  }

  private var environment: [String: String] {
    // Nothing of the caller's, so no ORDERSTREAM_ variable either; sanitizers and coverage find their way by PATH alone.
    [
      "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "HOME": root.path + "/home",
      "XDG_DATA_HOME": root.path + "/data", "TERM": "xterm", "LANG": "C.UTF-8",
    ]
  }

  private func file(_ path: String) throws -> Int32 {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    if descriptor < 0 { throw HarnessError("cannot open \(path)") }
    return descriptor
  }

  private func inputFile(_ text: String) throws -> Int32 {
    let path = "\(root.path)/capture/\(captures + 1).in"
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { throw HarnessError("cannot open \(path)") }
    return descriptor
  }

  /// Whether the child has come to where it takes signals itself. Where the system does not tell, it is waited for.
  package func handlesSignals(_ child: Child) -> Bool {
    guard let status = try? String(contentsOfFile: "/proc/\(child.pid)/status", encoding: .utf8) else {
      usleep(300_000)
      return true
    }
    let caught = status.split(separator: "\n").first { $0.hasPrefix("SigCgt:") }?.split(separator: "\t").last
    // Both, in the order in which they are set: a shell that is about to become the program may have one for SIGINT.
    let both: UInt64 = 1 << (SIGINT - 1) | 1 << (SIGTERM - 1)
    return caught.flatMap { UInt64($0, radix: 16) }.map { $0 & both == both } ?? false
  }

  // MARK: - Files of the working directory

  /// Copies a file to the end of another one, which may be a pipe.
  package func append(_ name: String, to other: String) throws {
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(work)/\(other)"))
    try handle.write(contentsOf: Data(try bytes(name)))
    try handle.close()
  }

  package func write(_ name: String, _ text: String) throws { try write(name, Array(text.utf8)) }

  package func write(_ name: String, _ bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: "\(work)/\(name)"))
  }

  package func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: "\(work)/\(name)")))
  }

  package func text(_ name: String) throws -> String { String(decoding: try bytes(name), as: UTF8.self) }

  package var files: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: work).sorted() } }

  package var hasLog: Bool { FileManager.default.fileExists(atPath: root.path + "/data") }

  package func mode(_ name: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: "\(work)/\(name)")
    return (attributes[.posixPermissions] as? NSNumber)?.intValue ?? -1
  }

  package func move(_ name: String, to other: String) throws {
    try FileManager.default.moveItem(atPath: "\(work)/\(name)", toPath: "\(work)/\(other)")
  }
}

/// Where the workflow tests run: the embedded log always, a Kafka cluster when `ORDERSTREAM_TEST_BROKERS` names one.
package enum TestBroker: Sendable, CustomStringConvertible {
  case embedded
  case kafka(String)

  package static let all: [TestBroker] = {
    guard let servers = ProcessInfo.processInfo.environment["ORDERSTREAM_TEST_BROKERS"], !servers.isEmpty else {
      print("NOTE: ORDERSTREAM_TEST_BROKERS is not set: the workflow tests run on the embedded log only.")
      return [.embedded]
    }
    return [.embedded, .kafka(servers)]
  }()

  package var description: String {
    switch self {
    case .embedded: "embedded"
    case .kafka(let servers): servers
    }
  }
}
