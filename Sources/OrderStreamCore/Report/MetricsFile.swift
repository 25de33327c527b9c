/// The numbers of a document in Prometheus' text format, for the textfile collector of the node exporter. A function of
/// the document alone.
///
/// Lag has the names and labels of kafka-lag-exporter, where partitions lie those of kafka_exporter; the rest is
/// `orderstream_<command>_<key>`. All are gauges: numbers of one run, which the next one replaces. What is not known is
/// NaN, as kafka-lag-exporter has it, so that a sum of lags is not known either.
public struct MetricsFile {
  private struct Family {
    let name: String
    let type: String
    let help: String
    var samples: [(labels: Labels, value: String)] = []
  }

  typealias Labels = [(name: String, value: String)]

  private let document: Document
  /// `lag_demo`.
  private let command: String
  /// Of every family of this program: what tells this run from those of other jobs.
  private var labels: Labels
  private var families: [Family] = []
  private var indices: [String: Int] = [:]

  /// Keys that tell runs of a command from each other; the names in a lag demo are made up for each run.
  private static let names = [
    "produce": ["topic"], "inventory": ["topic", "group"], "analytics": ["topic", "group"],
    "replay": ["topic", "group"],
    "audit": ["topic", "output_topic"],
  ]

  /// - Parameter isLive: Whether the run goes on: then it has not succeeded and not failed yet.
  public init(_ document: Document, isLive: Bool = false) {
    self.document = document
    command = document.command.replacing("-", with: "_")
    labels = [("broker", document["broker"]?.text ?? "")]
    for key in Self.names[document.command] ?? [] {
      if let name = document[key]?.text { labels.append((key, name)) }
    }
    addRun(isLive: isLive)
    addNumbers(document.root, prefix: "orderstream_\(command)_", labels)
    for pass in ["initial", "replay"] {
      guard let totals = document[pass], !totals.members.isEmpty else { continue }
      addNumbers(totals, prefix: "orderstream_\(command)_", labels + [("pass", pass)])
    }
    for side in ["input", "output"] {
      guard let seen = document["witness"]?[side] else { continue }
      addNumbers(seen, prefix: "orderstream_\(command)_witness_", labels + [("side", side)])
    }
    addPartitions()
    addLatencies("latency_ms", "latency")
    addLatencies("latency_first_second_ms", "latency_first_second")
    if document.command == "status" { addStatus() }
  }

  public func append(to buffer: ByteBuffer) {
    for family in families {
      buffer.append("# HELP \(family.name) \(Self.escaped(family.help))\n# TYPE \(family.name) \(family.type)\n")
      for sample in family.samples {
        buffer.append(family.name)
        for (index, label) in sample.labels.enumerated() {
          buffer.append("\(index == 0 ? "{" : ",")\(label.name)=\"\(Self.escaped(label.value, isQuoted: true))\"")
        }
        if !sample.labels.isEmpty { buffer.append(UInt8(ascii: "}")) }
        buffer.append(" \(sample.value)\n")
      }
    }
  }

  mutating func add(_ name: String, _ help: String, _ labels: Labels, _ value: String, type: String = "gauge") {
    if let index = indices[name] { return families[index].samples.append((labels, value)) }
    indices[name] = families.count
    families.append(Family(name: name, type: type, help: help, samples: [(labels, value)]))
  }

  private static func escaped(_ text: String, isQuoted: Bool = false) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": escaped += "\\\\"
      case "\n": escaped += "\\n"
      case "\"" where isQuoted: escaped += "\\\""
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  // MARK: - Of every command

  private mutating func addRun(isLive: Bool) {
    let name = "orderstream_\(command)"
    let what = "orderstream \(document.command)"
    if !isLive {
      let hasFailed =
        document["error"] != nil || document["complete"]?.bool != true || document.claims.contains { $0.holds == false }
      add(
        "\(name)_success", "Whether the last run of \(what) was complete and no claim was false.", labels,
        hasFailed ? "0" : "1")
    }
    add("\(name)_running", "Whether the run goes on.", labels, isLive ? "1" : "0")
    if let start = document["run"]?["started_at"]?.text, let seconds = CivilTime.seconds(ofTime: start) {
      add("\(name)_last_run_timestamp_seconds", "When the run of \(what) began.", labels, String(seconds))
    }
    // A condition that is given twice is one series.
    var seen = Set<String>()
    for claim in document.claims where seen.insert(claim.text).inserted {
      let value = claim.holds.map { $0 ? "1" : "0" } ?? "NaN"
      add(
        "orderstream_claim", "Whether a claim of a run holds; NaN where the run could not show it.",
        [("command", document.command), ("claim", claim.text)] + labels, value)
    }
  }

  /// Keys that are no measurements.
  private static let excluded: Set<String> = ["seed", "first_order"]
  /// Keys that have a number where the value is known.
  private static let nullable: Set<String> = ["drain_ms", "lag", "lag_seconds", "match", "peak_lag"]

  /// Numbers and yes or no, in base units: `elapsed_ms` as `…_duration_seconds`, `failure_rate_percent` as
  /// `…_failure_rate_ratio`.
  private mutating func addNumbers(_ object: DocumentValue, prefix: String, _ labels: Labels) {
    for member in object.members where !Self.excluded.contains(member.key) {
      var value: String
      switch member.value {
      case .bool(let bool): value = bool ? "1" : "0"
      case .null where Self.nullable.contains(member.key): value = "NaN"
      default:
        guard let number = member.value.numberText else { continue }
        value = number
      }
      var name = member.key == "elapsed_ms" ? "duration_ms" : member.key
      for (suffix, unit, places) in [("_ms", "_seconds", 3), ("_percent", "_ratio", 2)] where name.hasSuffix(suffix) {
        name = name.dropLast(suffix.count) + unit
        if member.value != .null { value = Self.moved(value, by: places) }
      }
      add(prefix + name, "\(member.key) in the document of orderstream \(document.command).", labels, value)
    }
  }

  /// A number of a document with its point moved to the left, every digit as it was: `10559` by 3 is `10.559`.
  private static func moved(_ number: String, by places: Int) -> String {
    let parts = number.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else {
      return Double(number).map { String(describing: $0 / (places == 2 ? 100 : 1000)) } ?? number
    }
    let whole = String(repeating: "0", count: max(0, places + 1 - parts[0].count)) + parts[0]
    var decimals = whole.suffix(places) + (parts.count == 2 ? parts[1] : "")
    while decimals.last == "0" { decimals.removeLast() }
    return decimals.isEmpty ? String(whole.dropLast(places)) : "\(whole.dropLast(places)).\(decimals)"
  }

  /// What was acknowledged, and the lag when it was last looked at, by partition.
  private mutating func addPartitions() {
    // Without acknowledgements nobody knows what a partition has.
    if document.command == "produce", document["acks"]?.text != "0" {
      for partition in document["partitions"]?.members ?? [] {
        add(
          "orderstream_produce_partition_acknowledged", "Events of the run that a partition has.",
          labels + [("partition", partition.key)], partition.value.numberText ?? "NaN")
      }
    }
    guard ["inventory", "analytics"].contains(document.command) else { return }
    for (partition, lag) in (document["samples"]?.elements.last?["lag"]?.elements ?? []).enumerated() {
      add(
        "orderstream_\(command)_lag", "Records of a partition that were not committed when it was last looked at.",
        labels + [("partition", String(partition))], lag.numberText ?? "NaN")
    }
  }

  /// Without a sum there is no summary: the node exporter would give it the sum 0.
  private mutating func addLatencies(_ key: String, _ word: String) {
    guard let latencies = document[key], !latencies.members.isEmpty else { return }
    let name = "orderstream_\(command)_\(word)"
    func seconds(_ key: String) -> String { latencies[key]?.numberText.map { Self.moved($0, by: 3) } ?? "NaN" }
    for (key, quantile) in [("p50", "0.5"), ("p90", "0.9"), ("p99", "0.99"), ("p999", "0.999")] {
      add(
        "\(name)_seconds", "\(document.command): quantiles of the run's latencies.", labels + [("quantile", quantile)],
        seconds(key), type: "untyped")
    }
    add("\(name)_max_seconds", "\(document.command): the longest latency of the run.", labels, seconds("max"))
    add(
      "\(name)_records", "\(document.command): how many latencies were measured.", labels,
      latencies["count"]?.numberText ?? "0")
  }

  // MARK: - Lag

  private mutating func addStatus() {
    let cluster: Labels = [("cluster_name", document["broker"]?.text ?? "")]
    for topic in document["topics"]?.elements ?? [] { addTopic(topic, cluster) }
    for group in document["groups"]?.elements ?? [] { addGroup(group, cluster) }
    if let brokers = document["cluster"]?["brokers"]?.elements {
      add("kafka_brokers", "Brokers of the cluster.", cluster, String(brokers.count))
    }
  }

  private mutating func addTopic(_ topic: DocumentValue, _ cluster: Labels) {
    let labels = cluster + [("topic", topic["name"]?.text ?? "")]
    let partitions = topic["partitions"]?.elements ?? []
    add("kafka_topic_partitions", "Partitions of a topic.", labels, String(partitions.count))
    for partition in partitions {
      let labels = labels + [("partition", partition["partition"]?.numberText ?? "")]
      func number(_ key: String) -> String { partition[key]?.numberText ?? "NaN" }
      add("kafka_partition_earliest_offset", "Earliest offset of a partition.", labels, number("low"))
      add("kafka_partition_latest_offset", "Offset of the next record of a partition.", labels, number("high"))
      add(
        "orderstream_partition_stable_offset", "Last stable offset of a partition: its lag is counted up to there.",
        labels, number("stable"))
      guard let replicas = partition["replicas"]?.elements, let inSync = partition["in_sync"]?.elements else {
        continue
      }
      add(
        "kafka_topic_partition_leader", "Broker that leads a partition, -1 for none.", labels,
        partition["leader"]?.numberText ?? "-1")
      add("kafka_topic_partition_replicas", "Replicas of a partition.", labels, String(replicas.count))
      add("kafka_topic_partition_in_sync_replica", "In-sync replicas of a partition.", labels, String(inSync.count))
      add(
        "kafka_topic_partition_under_replicated_partition", "Whether replicas of a partition are not in sync.", labels,
        inSync.count < replicas.count ? "1" : "0")
    }
  }

  private mutating func addGroup(_ group: DocumentValue, _ cluster: Labels) {
    let name = group["group"]?.text ?? ""
    let labels = cluster + [("group", name)]
    let members = group["members"]?.elements ?? []
    var owners: [String: DocumentValue] = [:]
    for member in members {
      for partition in member["partitions"]?.elements ?? [] { owners[Self.place(partition)] = member }
    }
    /// By topic, in the order of the document; `nil` for one that is not known.
    var topics: [(name: String, lag: Int64?)] = []
    var highest: Int64? = 0
    for partition in group["partitions"]?.elements ?? [] {
      let topic = partition["topic"]?.text ?? ""
      let owner = owners[Self.place(partition)]
      let labels: Labels =
        labels + [
          ("topic", topic), ("partition", partition["partition"]?.numberText ?? ""),
          ("member_host", owner?["host"]?.text ?? ""), ("consumer_id", owner?["id"]?.text ?? ""),
        ]
      let lag = partition["lag"]?.integer
      add(
        "kafka_consumergroup_group_offset", "Committed offset of a group in a partition.", labels,
        partition["committed"]?.numberText ?? "NaN")
      add(
        "kafka_consumergroup_group_lag", "Records between the committed offset of a group and the last stable offset.",
        labels, lag.map(String.init) ?? "NaN")
      addExplanation(ofPartition: partition, labels)
      let index = topics.firstIndex { $0.name == topic } ?? topics.count
      if index == topics.count { topics.append((topic, 0)) }
      let sum = topics[index].lag
      topics[index].lag = lag.flatMap { lag in sum.map { $0.saturatingAdd(lag) } }
      highest = lag.flatMap { lag in highest.map { max($0, lag) } }
    }
    let total = group["lag"]?.integer
    if total == nil { highest = nil }
    for topic in topics {
      add(
        "kafka_consumergroup_group_topic_sum_lag", "Lag of a group in all partitions of a topic.",
        labels + [("topic", topic.name)], topic.lag.map(String.init) ?? "NaN")
    }
    add(
      "kafka_consumergroup_group_max_lag", "Highest lag of a group in a partition.", labels,
      highest.map(String.init) ?? "NaN")
    add(
      "kafka_consumergroup_group_sum_lag", "Lag of a group in all partitions.", labels,
      total.map(String.init) ?? "NaN")
    add(
      "orderstream_group_lag_at_least", "Sum of the lags of a group that are known.", labels,
      group["lag_at_least"]?.numberText ?? "NaN")
    addExplanation(ofGroup: group, labels)
    if group["members_known"]?.bool == true {
      add(
        "kafka_consumergroup_members", "Members of a group.", cluster + [("consumergroup", name)],
        String(members.count))
    }
  }

  private static func place(_ partition: DocumentValue) -> String {
    "\(partition["topic"]?.text ?? "")/\(partition["partition"]?.numberText ?? "")"
  }
}

extension CivilTime {
  /// - Returns: Seconds since 1970 of a time as documents write it; `nil` for another text.
  fileprivate static func seconds(ofTime text: String) -> Int64? {
    var text = text
    return text.withUTF8 { parse(UnsafeRawBufferPointer($0))?.epochSeconds }
  }
}
