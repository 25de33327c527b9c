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

  @Test func timeout() throws {
    #expect(try common("--timeout", "1m").timeout == .seconds(60) && common().timeout == nil)
    #expect(try refused("analytics", "--timeout", "0").code == .usage)
  }

  @Test func topicConfig() throws {
    let config = try common("--topic-config", "retention.ms=1000", "--topic-config=cleanup.policy=delete").topicConfig
    #expect(config == [.init(key: "retention.ms", value: "1000"), .init(key: "cleanup.policy", value: "delete")])
    #expect(try refused("analytics", "--topic-config", "x").remedy == "write --topic-config key=value")
  }

  @Test func brokersMayBeWrittenWithBlanksAroundCommas() throws {
    #expect(try common("-b", " a:1 ,b:2,  c:3 ").brokers == common("-b", "a:1,b:2,c:3").brokers)
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

  @Test func theFileOfAJavaClientIsTakenWithLibrdkafkasNames() throws {
    try TemporaryDirectory.with { directory in
      let path = try directory.file(
        "client.properties",
        #"""
        bootstrap.servers=k:9093
        security.protocol=SASL_SSL
        sasl.mechanism=SCRAM-SHA-512
        sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
          username="alice" \
          password="p=a s;s";
        ssl.truststore.type=PEM
        ssl.truststore.location=/etc/ca.pem
        ssl.endpoint.identification.algorithm=
        key.serializer=org.apache.kafka.common.serialization.StringSerializer
        client.dns.lookup=use_all_dns_ips
        buffer.memory=33554432
        schema.registry.url=https://r
        client.id=me
        """#)
      let options = try common("-F", path)
      #expect(
        options.properties.map { "\($0.key)=\($0.value)" } == [
          "security.protocol=SASL_SSL", "sasl.mechanism=SCRAM-SHA-512", "sasl.username=alice", "sasl.password=p=a s;s",
          "ssl.ca.location=/etc/ca.pem", "ssl.endpoint.identification.algorithm=none",
          "queue.buffering.max.kbytes=32768", "client.id=me",
        ])
      #expect(options.propertyOrigins["sasl.username"] == "\(path):4 (sasl.jaas.config)")
      #expect(options.propertyOrigins["client.id"] == "\(path):14 (client.id)")
      #expect(throws: Never.self) { try BrokerFactory.check(options) }
    }
  }

  @Test(arguments: [
    ("ssl.truststore.location=/x/t.jks", "ssl.ca.location=ca.pem"),
    ("ssl.keystore.type=JKS\nssl.keystore.location=/x/k.jks", "ssl.keystore.location=key.p12"),
    ("sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;", "oidc"),
    ("sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required;", "sasl.username="),
    ("interceptor.classes=a.B", "remove it"),
  ])
  func whatOnlyJavaUnderstandsIsNamedWithItsEquivalent(lines: String, remedy: String) throws {
    try TemporaryDirectory.with { directory in
      let path = try directory.file("p", lines)
      let error = try refused("status", "-F", path)
      #expect(error.code == .configuration && error.remedy.contains(remedy), "\(error)")
      #expect(error.what.hasPrefix("\(path):\(lines.split(separator: "\n").count) ("), "\(error)")
    }
  }

  @Test func aMisspeltPropertyIsNamedByFileAndLineWithTheNearest() throws {
    try TemporaryDirectory.with { directory in
      let path = try directory.file("p", "# cluster\n\nsecurty.protocol=ssl\n")
      let error = try #require(throws: CommandError.self) { try BrokerFactory.check(try common("-F", path)) }
      #expect(error.code == .configuration && error.what == "\(path):3 (securty.protocol)")
      #expect(error.remedy == "did you mean security.protocol?")
      let ours = try directory.file("q", "topc=orders\n")
      let other = try #require(throws: CommandError.self) { try BrokerFactory.check(try common("-F", ours)) }
      #expect(other.remedy == "did you mean topic?")
      let flag = try #require(throws: CommandError.self) { try BrokerFactory.check(try common("-X", "cliend.id=x")) }
      #expect(flag.what == "cannot set the property cliend.id" && flag.remedy == "did you mean client.id?")
    }
  }

  @Test func whatATemplateSaysThatHoldsAnywayIsTaken() throws {
    for property in [
      "acks=all", "acks=-1", "enable.idempotence=true", "auto.offset.reset=earliest", "isolation.level=read_committed",
      "enable.auto.commit=false", "partition.assignment.strategy=range, roundrobin",
    ] {
      #expect(throws: Never.self, "\(property)") { try BrokerFactory.check(try common("-X", property)) }
    }
    for property in ["acks=1", "enable.idempotence=false", "auto.offset.reset=latest", "enable.auto.commit=true"] {
      let error = try #require(throws: CommandError.self) { try BrokerFactory.check(try common("-X", property)) }
      let key = property.prefix { $0 != "=" }
      #expect(error.code == .configuration && error.remedy.hasPrefix("write \(key)="), "\(error)")
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
