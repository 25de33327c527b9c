import OrderStreamTestSupport
import Testing

@testable import OrderStreamCore

/// The files that are made of a document, read by readers of their formats.
@Suite("Tables, metrics and test cases of documents")
struct ResultFileTests {
  private func document(_ text: String) throws -> Document {
    let buffer = ByteBuffer()
    buffer.append(text)
    return try #require(Document(parsing: buffer.bytes))
  }

  private func text(_ append: (ByteBuffer) -> Void) -> String {
    let buffer = ByteBuffer()
    append(buffer)
    return String(decoding: buffer.bytes, as: UTF8.self)
  }

  private func rows(_ json: String) throws -> [[String]] {
    let document = try document(json)
    return try Table.rows(text { TableFile.append(document, to: $0) })
  }

  // MARK: - Tables

  @Test("orders by minute are a row each")
  func minutes() throws {
    let rows = try rows(
      #"{"schema":"orderstream.analytics/1","orders_by_minute":{"2024-01-15T10:30":3,"2024-01-15T10:31":4},"#
        + #""failed_by_minute":{"2024-01-15T10:30":0,"2024-01-15T10:31":1}}"#)
    #expect(
      rows == [["minute", "orders", "failed"], ["2024-01-15T10:30", "3", "0"], ["2024-01-15T10:31", "4", "1"]])
  }

  @Test("a sample is a row, what is not known is empty, and partitions are columns")
  func lag() throws {
    #expect(
      try rows(
        #"{"schema":"orderstream.lag-demo/1","samples":[{"t_ms":0,"produced":5,"consumed":1,"lag":4},"#
          + #"{"t_ms":100,"produced":9,"consumed":2,"lag":null}]}"#)
        == [["t_ms", "produced", "consumed", "lag"], ["0", "5", "1", "4"], ["100", "9", "2", ""]])
    #expect(
      try rows(
        #"{"schema":"orderstream.lag-demo/1","samples":[{"t_ms":0,"produced":5,"consumed":1,"lag":4,"#
          + #""lag_by_partition":null},{"t_ms":1,"produced":9,"consumed":2,"lag":7,"lag_by_partition":[3,null]}]}"#)
        == [
          ["t_ms", "produced", "consumed", "lag", "lag_0", "lag_1"], ["0", "5", "1", "4", "", ""],
          ["1", "9", "2", "7", "3", ""],
        ])
  }

  @Test("buckets of latencies add up", arguments: ["produce", "inventory"])
  func latencies(_ command: String) throws {
    #expect(
      try rows(
        #"{"schema":"orderstream.\#(command)/1","latency_buckets":[{"le_ms":0.5,"count":3},{"le_ms":1,"count":4}]}"#)
        == [["le_ms", "count", "cumulative_count"], ["0.5", "3", "3"], ["1", "4", "7"]])
    #expect(try rows(#"{"schema":"orderstream.\#(command)/1","latency_buckets":[]}"#).count == 1)
  }

  @Test("commas, quotes and ends of lines in a reason stay in their cell")
  func quoting() throws {
    let rows = try rows(
      #"{"schema":"orderstream.status/1","groups":[{"group":"g","partitions":[{"topic":"t","partition":0,"committed":7,"#
        + #""stable":9,"lag":2,"reason":null},{"topic":"t","partition":1,"committed":null,"stable":null,"lag":null,"#
        + #""reason":"no \"leader\", or\r\nnone"}]}]}"#)
    #expect(rows[0].prefix(7) == ["group", "topic", "partition", "committed", "stable", "lag", "reason"])
    #expect(rows[1].prefix(7) == ["g", "t", "0", "7", "9", "2", ""] && rows[1].count == rows[0].count)
    #expect(rows[2].prefix(7) == ["g", "t", "1", "", "", "", "no \"leader\", or\r\nnone"])
  }

  // MARK: - Metrics

  private func metrics(_ json: String, isLive: Bool = false) throws -> Metrics {
    let file = MetricsFile(try document(json), isLive: isLive)
    return try Metrics(text(file.append))
  }

  private static let audit = """
    {"schema":"orderstream.audit/1","broker":"a \\"b\\" \\\\ c\\nd","complete":true,"elapsed_ms":1234,"topic":"t",
     "output_topic":"o","group":null,"lost":0,"duplicated":2,"failed_conditions":[],
     "claims":[{"claim":"no item is lost","holds":true,"detail":null},
               {"claim":"no item has two events","holds":false,"detail":"2 items"},
               {"claim":"not lag>1","holds":null,"detail":"<it> & \\"that\\"\\u001b[1m\\ttab\\nend \\ud83c\\udf54"},
               {"claim":"not lag>1","holds":null,"detail":null}],
     "run":{"version":"1","started_at":"2024-01-15T10:30:00Z","command":["orderstream","audit","--fail-if","lag>1"],
            "environment":{}}}
    """

  @Test("numbers of a run are gauges in base units, with labels that tell runs apart")
  func run() throws {
    let metrics = try metrics(Self.audit)
    let labels = ["broker": "a \"b\" \\ c\nd", "topic": "t", "output_topic": "o"]
    #expect(metrics["orderstream_audit_success", labels] == 0)
    #expect(metrics["orderstream_audit_running"] == 0)
    #expect(metrics["orderstream_audit_duplicated", labels] == 2)
    #expect(metrics["orderstream_audit_duration_seconds"] == 1.234)
    #expect(metrics["orderstream_audit_last_run_timestamp_seconds"] == 1_705_314_600)
    #expect(metrics["orderstream_claim", ["command": "audit", "claim": "no item is lost"]] == 1)
    #expect(metrics["orderstream_claim", ["claim": "no item has two events"]] == 0)
    #expect(metrics["orderstream_claim", ["claim": "not lag>1"]]?.isNaN == true)
    #expect(metrics.samples.allSatisfy { $0.labels["group"] == nil })
  }

  @Test("a run that goes on has not succeeded yet, and shares are ratios")
  func live() throws {
    let json =
      #"{"schema":"orderstream.analytics/2","broker":"b","complete":false,"elapsed_ms":5,"topic":"t","group":"g","#
      + #""failure_rate_percent":5.12,"samples":[{"t_ms":0,"processed":1,"lag":[1,2]},"#
      + #"{"t_ms":1,"processed":2,"lag":[3,null]}],"seed":18446744073709551615}"#
    let live = try metrics(json, isLive: true)
    #expect(live["orderstream_analytics_success"] == nil && live["orderstream_analytics_running"] == 1)
    #expect(live["orderstream_analytics_failure_rate_ratio", ["topic": "t", "group": "g"]] == 0.0512)
    #expect(live["orderstream_analytics_lag", ["partition": "0"]] == 3)
    #expect(live["orderstream_analytics_lag", ["partition": "1"]]?.isNaN == true)
    #expect(live["orderstream_analytics_seed"] == nil)
    #expect(try metrics(json)["orderstream_analytics_success"] == 0)
  }

  @Test("latencies are in seconds, and unknown ones are not 0")
  func latency() throws {
    func json(_ latency: String) -> String {
      #"{"schema":"orderstream.produce/1","broker":"b","complete":true,"elapsed_ms":5,"topic":"t","#
        + #""partitions":{"0":3,"1":4},"latency_ms":\#(latency)}"#
    }
    let latencies = #"{"p50":1.5,"p90":2,"p99":10.559,"p999":12.25,"max":20,"count":7}"#
    let known = try metrics(json(latencies))
    let written = text(MetricsFile(try document(json(latencies))).append)
    for end in [#"quantile="0.5"} 0.0015"#, #"quantile="0.99"} 0.010559"#, #"topic="t"} 0.02"#, #"topic="t"} 0.005"#] {
      #expect(written.contains(end + "\n"), "every digit as it was")
    }
    #expect(known["orderstream_produce_latency_seconds", ["quantile": "0.5"]] == 0.0015)
    #expect(known["orderstream_produce_latency_seconds", ["quantile": "0.999"]] == 0.01225)
    #expect(known["orderstream_produce_latency_max_seconds"] == 0.02)
    #expect(known["orderstream_produce_latency_records"] == 7)
    #expect(known["orderstream_produce_partition_acknowledged", ["partition": "1"]] == 4)
    #expect(known.types["orderstream_produce_latency_seconds"] == "untyped", "no summary, whose sum nobody knows")
    let undrained = try document(#"{"schema":"orderstream.lag-demo/1","complete":true,"drain_ms":null}"#)
    #expect(text(MetricsFile(undrained).append).contains("orderstream_lag_demo_drain_seconds{broker=\"\"} NaN\n"))
    let unknown = try metrics(json(#"{"p50":null,"p90":null,"p99":null,"p999":null,"max":null,"count":0}"#))
    #expect(unknown["orderstream_produce_latency_seconds", ["quantile": "0.99"]]?.isNaN == true)
    #expect(unknown["orderstream_produce_latency_records"] == 0)
  }

  private static let status = """
    {"schema":"orderstream.status/1","broker":"b","complete":true,"elapsed_ms":5,"topics":[
      {"name":"t","reason":null,"partitions":[
        {"partition":0,"low":1,"high":9,"stable":8,"reason":null,"leader":2,"replicas":[1,2],"in_sync":[2]},
        {"partition":1,"low":null,"high":null,"stable":null,"reason":"away","leader":null,"replicas":[1],"in_sync":[1]}]}],
     "groups":[
      {"group":"g","state":"Stable","members":[{"id":"m-1","host":"h","partitions":[{"topic":"t","partition":0}]}],
       "members_known":true,"lag":null,"lag_at_least":5,"reason":null,"partitions":[
        {"topic":"t","partition":0,"committed":4,"stable":8,"lag":4,"reason":null},
        {"topic":"t","partition":1,"committed":null,"stable":null,"lag":null,"reason":"away"},
        {"topic":"u","partition":0,"committed":1,"stable":2,"lag":1,"reason":null}]},
      {"group":"h","state":"Unknown","members":[],"members_known":false,"lag":null,"lag_at_least":0,
       "reason":"hidden","partitions":[]}],
     "groups_reason":null,"lag":null,"lag_at_least":5,"cluster":{"id":"c","brokers":[{"id":1,"address":"a:1"}]}}
    """

  @Test("lag has the names and labels of the exporters, and what is not known is NaN")
  func lagNames() throws {
    let metrics = try metrics(Self.status)
    let place = ["cluster_name": "b", "group": "g", "topic": "t", "partition": "0"]
    #expect(metrics["kafka_consumergroup_group_lag", place] == 4)
    #expect(
      metrics["kafka_consumergroup_group_lag", place.merging(["member_host": "h", "consumer_id": "m-1"]) { $1 }] == 4)
    #expect(metrics["kafka_consumergroup_group_offset", place] == 4)
    #expect(metrics["kafka_consumergroup_group_lag", ["partition": "1", "member_host": ""]]?.isNaN == true)
    #expect(metrics["kafka_consumergroup_group_topic_sum_lag", ["topic": "t"]]?.isNaN == true)
    #expect(metrics["kafka_consumergroup_group_topic_sum_lag", ["topic": "u"]] == 1)
    for name in ["sum", "max"] {
      for group in ["g", "h"] {
        #expect(metrics["kafka_consumergroup_group_\(name)_lag", ["group": group]]?.isNaN == true)
      }
    }
    #expect(metrics["orderstream_group_lag_at_least", ["group": "g"]] == 5)
    #expect(metrics["kafka_partition_latest_offset", ["topic": "t", "partition": "0"]] == 9)
    #expect(metrics["kafka_partition_earliest_offset", ["topic": "t", "partition": "0"]] == 1)
    #expect(metrics["kafka_partition_latest_offset", ["partition": "1"]]?.isNaN == true)
    #expect(metrics["kafka_consumergroup_members", ["consumergroup": "g"]] == 1)
    #expect(metrics["kafka_consumergroup_members", ["consumergroup": "h"]] == nil)
    #expect(metrics["kafka_topic_partition_under_replicated_partition", ["partition": "0"]] == 1)
    #expect(metrics["kafka_topic_partition_leader", ["partition": "1"]] == -1 && metrics["kafka_brokers"] == 1)
    #expect(metrics["orderstream_status_lag"]?.isNaN == true)
  }

  @Test("why a group is behind has its numbers: seconds to clear are +Inf for never, and what is not known is NaN")
  func explanation() throws {
    let numbers = """
      "lag_state":"WARN","lag_seconds":12.5,"arrival_per_second":20.0,"service_per_second":8.0,"trend_per_second":12.0,
      "clear":"never","clear_in_seconds":null,"clear_in_seconds_error":null,"removed_first":null
      """
    let metrics = try metrics(
      """
      {"schema":"orderstream.status/1","broker":"b","complete":true,"elapsed_ms":5,"topics":[],"groups":[
        {"group":"g","state":"Stable","members":[],"members_known":true,"lag":4,"lag_at_least":4,"reason":null,\(numbers),
         "observations":5,"cause":{"cause":"too_few_members","members_needed":2},"partitions":[
          {"topic":"t","partition":0,"committed":4,"stable":8,"lag":4,"reason":null,\(numbers)}]}]}
      """)
    let place = ["cluster_name": "b", "group": "g", "topic": "t", "partition": "0"]
    #expect(metrics["kafka_consumergroup_group_lag_seconds", place] == 12.5)
    #expect(metrics["kafka_consumergroup_group_max_lag_seconds", ["group": "g"]] == 12.5)
    #expect(metrics["orderstream_group_partition_arrival_per_second", place] == 20)
    #expect(metrics["orderstream_group_trend_per_second", ["group": "g"]] == 12)
    #expect(metrics["orderstream_group_clear_seconds", ["group": "g"]] == .infinity)
    #expect(metrics["orderstream_group_removed_first", ["group": "g"]]?.isNaN == true)
    #expect(metrics["orderstream_group_lag_state", ["group": "g", "state": "WARN"]] == 1)
    #expect(metrics["orderstream_group_lag_state", ["group": "g", "state": "OK"]] == 0)
    #expect(metrics["orderstream_group_lag_cause", ["cause": "too_few_members"]] == 1)
    #expect(metrics["orderstream_group_members_needed"] == 2)
  }

  // MARK: - Test cases

  private func cases(_ json: String) throws -> JUnitCases {
    let cases = TestCases(try document(json))
    let read = try JUnitCases(text(cases.append))
    #expect(cases.isGreen == read.isGreen)
    return read
  }

  @Test("a claim is a test case, and its detail survives what XML cannot hold")
  func claims() throws {
    let cases = try cases(Self.audit)
    #expect(
      cases.cases.map(\.name) == [
        "the run is complete", "no item is lost", "no item has two events", "not lag>1", "not lag>1",
      ])
    #expect(cases.cases.map(\.outcome) == ["passed", "passed", "failure", "skipped", "skipped"])
    #expect(cases.cases[2].message == "2 items")
    #expect(cases.cases[3].message == "<it> & \"that\"\\u{1b}[1m\ttab\nend 🍔")
    #expect(cases.suite["timestamp"] == "2024-01-15T10:30:00" && cases.suite["time"] == "1.234")
    #expect(cases.cases[0].attributes["classname"] == "orderstream.audit")
    #expect(cases.properties["command"] == "orderstream audit --fail-if 'lag>1'")
    #expect(cases.properties["broker"] == "a \"b\" \\ c\nd" && cases.properties["version"] == "1")
  }

  @Test("what was cut short, what ended with an error and what was only planned is not green by accident")
  func noResult() throws {
    func outcome(_ members: String) throws -> (String?, String?) {
      let cases = try cases(
        #"{"schema":"orderstream.replay/1","broker":"b","elapsed_ms":5,"claims":[],\#(members)}"#)
      return (cases.cases[0].outcome, cases.cases[0].message)
    }
    #expect(try outcome(#""complete":true"#) == ("passed", nil))
    #expect(try outcome(#""complete":false"#).0 == "error")
    #expect(try outcome(#""complete":true,"error":{"code":69,"message":"away"}"#) == ("error", "away"))
    #expect(try outcome(#""complete":true,"executed":false,"plan":"would""#) == ("skipped", "would"))
  }
}
