/// Why groups are behind, as Prometheus reads it. Lag in time has the names of kafka-lag-exporter.
extension MetricsFile {
  private static let rates = [
    ("arrival_per_second", "Records a second that become readable."),
    ("service_per_second", "Records a second by which the committed offset moves."),
    ("trend_per_second", "Records a second by which the lag grows."),
  ]
  private static let groupStates: [LagState] = [.ok, .warn, .error]
  private static let partitionStates: [LagState] = [.ok, .warn, .stall, .stop, .rewind]

  /// - Parameter labels: those of the lag of a partition.
  mutating func addExplanation(ofPartition partition: DocumentValue, _ labels: Labels) {
    guard partition["clear"] != nil else { return }
    add(
      "kafka_consumergroup_group_lag_seconds",
      "How old the first record is that a group has not committed in a partition.",
      labels, partition["lag_seconds"]?.numberText ?? "NaN")
    addNumbers(of: partition, "orderstream_group_partition", Self.partitionStates, labels)
  }

  mutating func addExplanation(ofGroup group: DocumentValue, _ labels: Labels) {
    guard group["clear"] != nil else { return }
    add(
      "kafka_consumergroup_group_max_lag_seconds", "How old the oldest record is that a group has not committed.",
      labels,
      group["lag_seconds"]?.numberText ?? "NaN")
    addNumbers(of: group, "orderstream_group", Self.groupStates, labels)
    guard let cause = group["cause"] else { return }
    add(
      "orderstream_group_lag_cause", "What holds a group.", labels + [("cause", cause["cause"]?.text ?? "unknown")], "1"
    )
    if let members = cause["members_needed"]?.numberText {
      add("orderstream_group_members_needed", "How many members more would do.", labels, members)
    }
  }

  private mutating func addNumbers(of object: DocumentValue, _ prefix: String, _ states: [LagState], _ labels: Labels) {
    for (key, help) in Self.rates { add("\(prefix)_\(key)", help, labels, object[key]?.numberText ?? "NaN") }
    let seconds = object["clear"]?.text == "never" ? "+Inf" : object["clear_in_seconds"]?.numberText ?? "NaN"
    add("\(prefix)_clear_seconds", "After how many seconds nothing will be unread; +Inf for never.", labels, seconds)
    add(
      "\(prefix)_clear_error_seconds", "The error of that estimate, at 95 %.", labels,
      object["clear_in_seconds_error"]?.numberText ?? "NaN")
    add(
      "\(prefix)_removed_first", "Unread records that retention will remove before they are read.", labels,
      object["removed_first"]?.numberText ?? "NaN")
    let state = object["lag_state"]?.text
    for word in states.map(\.rawValue) {
      add(
        "\(prefix)_lag_state", "Which state it has by Burrow's rules; NaN while it is not known.",
        labels + [("state", word)],
        state.map { $0 == word ? "1" : "0" } ?? "NaN")
    }
  }
}
