import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import orderstream

@Suite("Common options, the environment and -F files")
struct CommonOptionTests {
  private func common(_ arguments: String..., environment: [String: String] = [:]) throws -> CommonOptions {
    guard
      case .analytics(let options) = try Invocation.parse(["analytics"] + arguments, environment: environment.lookup)
    else { throw Unexpected() }
    return options.run.common
  }

  @Test func defaultsAreThoseOfTheContract() throws {
    let options = try common()
    #expect(options.brokers == .embedded(directory: nil))
    #expect(options.partitions == nil && options.replicationFactor == nil)
    #expect(options.properties.isEmpty && options.configFile == nil && options.wait == nil)
    #expect(!options.json && !options.quiet && !options.verbose)
    #expect(options.color == .auto && options.progress == .auto && options.logLevel == .warning)
  }

  @Test func partitions() throws {
    #expect(try common("--partitions", "12").partitions == 12)
    #expect(try refused("analytics", "--partitions", "0").code == .usage)
  }

  @Test func replicationFactor() throws {
    #expect(try common("--replication-factor", "3").replicationFactor == 3)
    #expect(try refused("analytics", "--replication-factor", "32768").code == .usage)
  }

  @Test func wait() throws { #expect(try common("--wait", "1m30s").wait == .seconds(90)) }

  @Test func json() throws { #expect(try common("--json").json) }

  @Test func quietLogsErrorsOnly() throws {
    #expect(try common("-q").quiet)
    #expect(try common("--quiet").logLevel == .error)
  }

  @Test func verboseLogsEverything() throws {
    #expect(try common("-v").verbose)
    #expect(try common("-qv").logLevel == .debug)
  }

  @Test func color() throws {
    #expect(try common("--color", "never").color == .never)
    #expect(try refused("analytics", "--color", "alwys").remedy == "did you mean 'always'?")
  }

  @Test func progress() throws { #expect(try common("--progress", "plain").progress == .plain) }

  @Test func propertiesKeepTheirOrderAndTheLastValueOfAKeyCounts() throws {
    let properties = try common("-X", "b=1", "-Xa=x=y", "-X", "b=2", "-X", "c=").properties
    #expect(properties == [.init(key: "b", value: "2"), .init(key: "a", value: "x=y"), .init(key: "c", value: "")])
  }

  @Test func propertiesWithAnOptionOfTheirOwnAreRefused() throws {
    #expect(try refused("analytics", "-X", "bootstrap.servers=x:1").code == .configuration)
    #expect(try refused("analytics", "-X", "group.id=x").remedy == "use --group")
    #expect(try refused("analytics", "-X", "novalue").why == "the '=' is missing")
    #expect(try refused("analytics", "-X", "=x").code == .usage)
  }

  @Test func secretValuesAreNotShown() throws {
    let property = Property(key: "sasl.password", value: "hunter2")
    #expect(property.description == "sasl.password=***")
    #expect(Property(key: "ssl.keystore.location", value: "x").isSecret)
    #expect(Property(key: "client.id", value: "me").description == "client.id=me")
  }

  @Test func theEnvironmentStandsInForOptions() throws {
    let environment = [
      "ORDERSTREAM_BROKERS": "a:1", "ORDERSTREAM_TOPIC": "t", "ORDERSTREAM_GROUP": "g", "ORDERSTREAM_COLOR": "always",
      "ORDERSTREAM_PROGRESS": "none", "ORDERSTREAM_LOG_LEVEL": "info", "ORDERSTREAM_INSTANCE": "pod-1",
    ]
    guard case .analytics(let options) = try parsed("analytics", environment: environment) else { throw Unexpected() }
    #expect(options.run.topic == "t" && options.run.group == "g" && options.run.instance == "pod-1")
    #expect(options.run.common.brokers.description == "a:1")
    #expect(
      options.run.common.color == .always && options.run.common.progress == .none
        && options.run.common.logLevel == .info)
  }

  @Test func anEmptyVariableCountsAsUnset() throws {
    #expect(try common(environment: ["ORDERSTREAM_BROKERS": "", "ORDERSTREAM_LOG_LEVEL": ""]) == common())
  }

  @Test func aWrongVariableIsNamed() throws {
    #expect(try refused("status", environment: ["ORDERSTREAM_BROKERS": "a"]).what == "ORDERSTREAM_BROKERS")
    #expect(try refused("status", environment: ["ORDERSTREAM_COLOR": "blue"]).what == "ORDERSTREAM_COLOR")
    let error = try refused("status", environment: ["ORDERSTREAM_LOG_LEVEL": "loud"])
    #expect(error.code == .usage && error.what == "ORDERSTREAM_LOG_LEVEL")
  }

  @Test func aVariableOfAnOptionThatTheCommandLacksIsIgnored() throws {
    #expect(throws: Never.self) { try parsed("lag-demo", environment: ["ORDERSTREAM_TOPIC": "not a name"]) }
    #expect(try parsed("status", environment: ["ORDERSTREAM_TOPIC": "t"]) == parsed("status"))
  }

  @Test func flagsWinOverTheEnvironmentAndItOverTheFileAndItOverTheDefault() throws {
    try TemporaryDirectory.with { directory in
      let path = try directory.file("p", "brokers=file:1\r\ntopic = t-file\nclient.id=me\n")
      let environment = ["ORDERSTREAM_BROKERS": "variable:1", "ORDERSTREAM_CONFIG": path]
      #expect(try common("-b", "flag:1", environment: environment).brokers.description == "flag:1")
      #expect(try common(environment: environment).brokers.description == "variable:1")
      #expect(try common("-F", path).brokers.description == "file:1")
      let options = try common("-X", "client.id=you", environment: environment)
      #expect(options.properties == [.init(key: "client.id", value: "you")] && options.configFile == path)
      guard case .tail(let tail) = try parsed("tail", "-F", path) else { throw Unexpected() }
      #expect(tail.topic == "t-file")
    }
  }

  @Test func aFileMayHoldOurKeysInKafkasWords() throws {
    try TemporaryDirectory.with { directory in
      let path = try directory.file(
        "p", "bootstrap.servers=k:9\ngroup.id=g\nlog-level=notice\nprogress=none\ncolor=never\n")
      guard case .analytics(let options) = try parsed("analytics", "-F", path) else { throw Unexpected() }
      #expect(
        options.run.group == "g" && options.run.common.brokers.description == "k:9"
          && options.run.common.properties.isEmpty)
      #expect(
        options.run.common.logLevel == .notice && options.run.common.progress == .none
          && options.run.common.color == .never)
    }
  }

  @Test func aFileThatCannotBeReadIsMissingInput() throws {
    #expect(try refused("status", "-F", "/nonexistent/p").code == .input)
    #expect(try refused("status", "-F", "/").code == .input)
    let error = try refused("status", environment: ["ORDERSTREAM_CONFIG": "/nonexistent/p"])
    #expect(error.code == .input && error.remedy == "give ORDERSTREAM_CONFIG a file of properties")
    #expect(try refused("status", "--config=").code == .usage)
  }

  @Test func whatIsWrongInAFileIsNamedByFileAndLine() throws {
    try TemporaryDirectory.with { directory in
      let malformed = try directory.file("m", "# fine\n\nsasl.password hunter2\n")
      let error = try refused("status", "-F", malformed)
      #expect(error.code == .configuration && error.what == "\(malformed):3")
      #expect(!error.description.contains("hunter2"))
      let wrong = try directory.file("w", "a=b\nbrokers=nowhere\n")
      #expect(try refused("status", "-F", wrong).what == "\(wrong):2 (brokers)")
      #expect(try refused("status", "-F", wrong).code == .configuration)
    }
  }

  @Test func filesAreReadAsJavaPropertiesWithoutEscapes() throws {
    let text = "\u{feff}# c\r\n! c\r\n  \r\n key = a = b \r\nback=c:\\dir\\\nlast=1\nlast=2"
    let lines = try PropertyFile(path: "p", bytes: Array(text.utf8)).lines
    #expect(lines.map(\.key) == ["key", "back", "last", "last"])
    #expect(lines.map(\.value) == ["a = b", "c:\\dir\\", "1", "2"])
    #expect(lines.map(\.number) == [4, 5, 6, 7])
    #expect(throws: CommandError.self) { try PropertyFile(path: "p", bytes: [0xFF]) }
    #expect(throws: CommandError.self) { try PropertyFile(path: "p", bytes: Array("=x".utf8)) }
  }
}
