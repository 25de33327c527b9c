import Testing

@testable import orderstream

@Suite("Values on the command line")
struct ValueTests {
  @Test(arguments: [
    ("0", Duration.zero), ("0s", .zero), ("500ms", .milliseconds(500)), ("10s", .seconds(10)), ("5m", .seconds(300)),
    ("1h30m", .seconds(5400)), ("1d", .seconds(86_400)), ("1m500ms", .milliseconds(60_500)),
    ("250us", .microseconds(250)),
    ("1.5s", .milliseconds(1500)), ("1h0.5s", .milliseconds(3_600_500)), ("106751d", .seconds(9_223_286_400)),
  ])
  func durations(text: String, expected: Duration) throws { #expect(try OptionValue.duration(text) == expected) }

  @Test(arguments: [
    "", "5", "00", "s", "-5s", "+5s", "5 s", " 5s", "5s ", "5x", "5S", "30m1h", "1s1s", "1.5h30m", "1.s", ".5s",
    "1..5s",
    "1e3s", "106752d", "99999999999999999999s", "1h5", "٣s",
  ])
  func whatIsNoDuration(text: String) { #expect(throws: ValueError.self) { try OptionValue.duration(text) } }

  @Test(arguments: [
    ("500", Rate.limited(events: 500, seconds: 1)), ("500/s", .limited(events: 500, seconds: 1)), ("max", .max),
    ("0.5/s", .limited(events: 5, seconds: 10)), ("2.50", .limited(events: 250, seconds: 100)),
    ("0.000001", .limited(events: 1, seconds: 1_000_000)),
  ])
  func rates(text: String, expected: Rate) throws { #expect(try Rate.parse(text) == expected) }

  @Test(arguments: [
    "", "0", "0.0/s", "-1", "500/m", "/s", "Max", "1e3", "1.0000001", "1000000000", "500 /s", "500/s/s",
  ])
  func whatIsNoRate(text: String) { #expect(throws: ValueError.self) { try Rate.parse(text) } }

  @Test func aRateSaysWhenEachEventIsDue() {
    let rate = Rate.limited(events: 3, seconds: 1)
    #expect((0...3).map { rate.nanoseconds(ofEvent: $0) } == [0, 333_333_333, 666_666_666, 1_000_000_000])
    #expect(Rate.limited(events: 1, seconds: 1_000_000).nanoseconds(ofEvent: .max) == .max)
    #expect(Rate.max.nanoseconds(ofEvent: 5) == 0)
  }

  @Test(
    arguments: [
      ("1970-01-01T00:00:00Z", 0, 0), ("2024-01-15T10:30:00", 1_705_314_600, 0),
      ("2024-01-15t10:30:00z", 1_705_314_600, 0),
      ("2024-01-15 11:30:00+01:00", 1_705_314_600, 0), ("2024-01-15T05:00:00.25-05:30", 1_705_314_600, 250_000_000),
      ("2024-02-29T23:59:59.999999999Z", 1_709_251_199, 999_999_999), ("1969-12-31T23:59:59.5Z", -1, 500_000_000),
      ("0001-01-01T00:00:00Z", -62_135_596_800, 0), ("9999-12-31T23:59:59Z", 253_402_300_799, 0),
      ("2000-03-01T00:00:00Z", 951_868_800, 0),
    ] as [(String, Int64, Int32)])
  func times(text: String, seconds: Int64, nanoseconds: Int32) throws {
    let time = try TimeArgument(text)
    #expect(time.seconds == seconds && time.nanoseconds == nanoseconds)
  }

  @Test(arguments: [
    "", "2024-01-15", "2024-01-15T10:30", "2024-01-15T10:30:60Z", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z", "2024-01-15T24:00:00Z",
    "2024-01-15T10:30:00.Z", "2024-01-15T10:30:00.1234567890Z", "2024-01-15T10:30:00+0100", "2024-01-15T10:30:00+24:00",
    "2024-01-15T10:30:00ZZ", "24-01-15T10:30:00Z", "0000-01-01T00:00:00Z", "1705314600", "-024-01-15T10:30:00Z", "now",
  ])
  func whatIsNoTime(text: String) { #expect(throws: ValueError.self) { try TimeArgument(text) } }

  @Test func timesBecomeMillisecondsRoundedUp() throws {
    #expect(try TimeArgument("1970-01-01T00:00:00.001Z").millisecondsRoundedUp == 1)
    #expect(try TimeArgument("1970-01-01T00:00:00.001000001Z").millisecondsRoundedUp == 2)
    #expect(try TimeArgument("1969-12-31T23:59:59.9991Z").millisecondsRoundedUp == 0)
  }

  @Test func names() throws {
    for name in ["a", "order-events", "A.b_C-9", "...", "-", String(repeating: "x", count: 200)] {
      #expect(try OptionValue.name(name) == name)
    }
    for name in ["", ".", "..", "a b", "a/b", "ä", "a\n", "a\u{301}", String(repeating: "x", count: 201)] {
      #expect(throws: ValueError.self) { try OptionValue.name(name) }
    }
  }

  @Test func brokers() throws {
    #expect(try BrokerSpec.parse("embedded") == .embedded(directory: nil))
    #expect(try BrokerSpec.parse("embedded:/a b/c:d") == .embedded(directory: "/a b/c:d"))
    #expect(try BrokerSpec.parse("embedded:9092") == .embedded(directory: "9092"))
    #expect(
      try BrokerSpec.parse("h-1.x:1,[::1]:65535,10.0.0.1:9092")
        == .kafka([.init(host: "h-1.x", port: 1), .init(host: "::1", port: 65535), .init(host: "10.0.0.1", port: 9092)])
    )
    #expect(try BrokerSpec.parse("[fe80::1%eth0]:9092").description == "[fe80::1%eth0]:9092")
  }

  @Test(arguments: [
    ("", "it is empty"), (",", "',' has an empty element"), ("a:1,", "'a:1,' has an empty element"),
    ("localhost", "'localhost' has no port"), ("a:1,b", "'b' has no port"), ("a:", "'a:' has no valid port"),
    ("a:0", "'a:0' has no valid port"), ("a:65536", "'a:65536' has no valid port"),
    (":1", "':1' has no valid host name"),
    ("/tmp/x", "'/tmp/x' is a path"), ("~/x", "'~/x' is a path"),
    ("embeded:/x", "'embeded:/x' is not a broker"),
    ("::1:9092", "'::1:9092' has several colons"),
    ("[::1]", "'[::1]' has no port"), ("[::1:9092", "'[::1:9092' has no ']'"),
    ("[host]:1", "'[host]:1' has no IPv6 address in its brackets"), ("embeded", "'embeded' is not a broker"),
    ("embedded:", "the directory is empty"), ("embedded:~/x", "the shell does not expand '~' after a colon"),
    ("user:secret@a:1", "it has an '@'"), ("SASL_SSL://a:1", "'SASL_SSL://a:1' has a protocol"),
  ])
  func whatIsNoBroker(text: String, why: String) {
    let error = #expect(throws: ValueError.self) { try BrokerSpec.parse(text) }
    #expect(error?.why == why)
  }

  @Test func theEmbeddedLogFollowsTheDirectoryStandard() throws {
    #expect(try BrokerSpec.defaultDirectory(["XDG_DATA_HOME": "/d", "HOME": "/h"].lookup) == "/d/orderstream")
    #expect(try BrokerSpec.defaultDirectory(["HOME": "/h"].lookup) == "/h/.local/share/orderstream")
    #expect(
      try BrokerSpec.defaultDirectory(["XDG_DATA_HOME": "d", "HOME": "/h"].lookup) == "/h/.local/share/orderstream")
    let error = #expect(throws: CommandError.self) { try BrokerSpec.defaultDirectory([:].lookup) }
    #expect(error?.code == .configuration)
  }
}
