import OrderStreamCore
import Testing

@testable import orderstream

/// Documents read again, and conditions on their numbers.
@Suite("Conditions of --fail-if")
struct FailConditionTests {
  private func value(_ text: String) throws -> DocumentValue {
    let buffer = ByteBuffer()
    buffer.append(text)
    return try #require(DocumentValue(parsing: buffer.bytes))
  }

  private static let document = """
    {"n":1000,"rate":5.12,"big":9223372036854775807,"seed":18446744073709551615,"none":null,"match":true,"text":"12",
     "latency_ms":{"p99":10.5,"max":10},"active_ms":1500,
     "groups":[{"group":"a.b","lag":7},{"group":"c","lag":null,"partitions":[{"topic":"t","partition":1,"lag":3}]}],
     "e":[],"o":{}}
    """

  private func finding(_ condition: String) throws -> FailCondition.Finding {
    try FailCondition.parse(condition).finding(value(Self.document))
  }

  @Test(
    "it is decided at, above and below the limit",
    arguments: [
      ("n>999", true), ("n>1000", false), ("n>1001", false), ("n>=1000", true), ("n>=1001", false), ("n<1000", false),
      ("n<1001", true), ("n<=1000", true), ("n<=999", false), ("n==1000", true), ("n==1000.0", true),
      ("n==1000.5", false),
      ("n>-1", true), ("rate>5.12", false), ("rate>=5.12", true), ("rate==5.12", true), ("rate>5.119999999", true),
      ("rate<5.120000001", true), ("big==9223372036854775807", true), ("big<9223372036854775807", false),
      ("big>9223372036854775806", true), ("seed>9223372036854775807", true), (" n > 999 ", true),
      ("latency_ms.p99>10ms", true), ("latency_ms.p99>10.5ms", false), ("latency_ms.p99>=10500us", true),
      ("latency_ms.p99>10", true), ("latency_ms.max==10ms", true), ("latency_ms.max>0.01s", false),
      ("active_ms>1s", true), ("active_ms>1s500ms", false), ("active_ms>=1.5s", true), ("active_ms<1m", true),
      ("groups.a.b.lag==7", true), ("groups.0.lag==7", true), ("groups.c.partitions.1.lag==3", true),
      ("groups.c.partitions.t.lag<3", false),
    ])
  func decisions(_ condition: String, _ breached: Bool) throws {
    #expect(try finding(condition) == (breached ? .breached : .holdsBack), "\(condition)")
  }

  @Test("what is null, missing or no number is found out")
  func unknown() throws {
    #expect(try finding("none>1") == .unknown)
    #expect(try finding("groups.c.lag>1") == .unknown)
    for missing in ["nosuch>1", "latency_ms.p50>1", "n.x>1", "groups.2.lag>1", "groups.nosuch.lag>1", "n.>1", ".n>1"] {
      #expect(try finding(missing) == .missing, "\(missing)")
    }
    for other in ["match==1", "text>1", "e==0", "o==0", "groups>1"] { #expect(try finding(other) == .notANumber) }
  }

  @Test("while a run goes on only what is known fails it")
  func live() throws {
    let root = try value(Self.document)
    for condition in ["none>1", "nosuch>1", "text>1"] {
      let condition = try FailCondition.parse(condition)
      #expect(FailedCondition(condition, in: root, isFinal: false) == nil)
      #expect(FailedCondition(condition, in: root, isFinal: true) != nil)
    }
    #expect(FailedCondition(try FailCondition.parse("n>1"), in: root, isFinal: false) != nil)
  }

  @Test(
    "a wrong condition is refused",
    arguments: [
      "", "n", ">1", "n>", "n=1", "n!=1", "n>x", "n>1ms", "n>1%", "rate>1%", "events_per_second>1ms", "n>1e3", "n>.5",
      "n>>1", "n<>1", "latency_ms.p99>10 parsecs", "latency_ms.p99>10%", "n>99999999999999999999",
    ])
  func refusals(_ text: String) throws {
    #expect(throws: ValueError.self) { try FailCondition.parse(text) }
  }

  @Test("units belong to their keys")
  func units() throws {
    #expect(try FailCondition.parse("failure_rate_percent>5%").limit == .whole(5))
    #expect(try FailCondition.parse("events_per_second<1000/s").limit == .whole(1000))
    #expect(try FailCondition.parse("elapsed_ms>1h30m").limit == .whole(5_400_000))
    #expect(try FailCondition.parse("latency_ms.p50>12.345ms").limit == .decimal(12.345))
  }

  @Test("a document keeps its order and its numbers")
  func order() throws {
    let root = try value(#"{"b":1,"a":[1,-2,3.5,18446744073709551615,"é\n",true,false,null,{"z":{}}],"c":{}}"#)
    #expect(root.members.map(\.key) == ["b", "a", "c"])
    #expect(
      root["a"]
        == .list([
          .integer(1), .integer(-2), .decimal(3.5), .unsigned(.max), .text("é\n"), .bool(true), .bool(false), .null,
          .object([.init("z", .object([]))]),
        ]))
    for wrong in ["", "{", "{}x", "nul", "[1,]", "\u{FEFF}{}"] {
      let buffer = ByteBuffer()
      buffer.append(wrong)
      #expect(DocumentValue(parsing: buffer.bytes) == nil, "\(wrong)")
    }
  }
}
