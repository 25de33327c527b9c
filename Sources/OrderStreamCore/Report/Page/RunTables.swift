/// What a run tells in words and tables: violations with their coordinates, differences, topics, groups, partitions.
struct RunTables {
  typealias Section = RunCharts.Section

  private let document: Document

  init(_ document: Document) { self.document = document }

  /// Those for which the document has what they show.
  var sections: [Section] {
    switch document.command {
    case "produce": [partitions].compactMap { $0 }
    case "audit": AuditTables(document).sections
    case "replay": [moves, difference, certificate, recordsGone].compactMap { $0 }
    case "status": [topics, groups].compactMap { $0 }
    case "backup": [copiedTopics].compactMap { $0 }
    case "delete": [removedTopics, removedGroups, removedStarts, left].compactMap { $0 }
    default: []
    }
  }

  private func elements(_ key: String) -> [DocumentValue] { document[key]?.elements ?? [] }

  private func names(_ value: DocumentValue?) -> String {
    (value?.elements ?? []).compactMap(\.text).joined(separator: ", ")
  }

  /// A number with a bar beside it.
  private static func meter(_ value: Double?, of largest: Double) -> HTML {
    guard let value, largest > 0 else { return "" }
    return "<span class=\"meter\"><i style=\"width:\(PageNumber.place(value / largest * 100))%\"></i></span>"
  }

  // MARK: - produce

  private var partitions: Section? {
    guard let members = document["partitions"]?.members, !members.isEmpty, document["acks"]?.text != "0" else {
      return nil
    }
    let largest = members.compactMap(\.value.number).max() ?? 0
    var table = PageTable(
      caption: "Acknowledged by partition",
      columns: [.text("partition"), .number("acknowledged"), .text("beside the largest")])
    table.rows = members.map {
      ["\($0.key)", "\(PageNumber.text($0.value))", Self.meter($0.value.number, of: largest)]
    }
    table.look = .bars
    let isLong = members.count > 16
    return ("Acknowledged by partition", isLong ? table.folded("\(members.count) partitions") : table.markup)
  }

  // MARK: - replay

  /// From where to where a group is moved, and how it is moved back.
  private var moves: Section? {
    let moves = elements("moves")
    if moves.isEmpty { return nil }
    var table = PageTable(caption: "Moves", columns: [.number("partition"), .number("from"), .number("to")])
    table.rows = moves.map { move in
      ["partition", "from", "to"].map { key -> HTML in
        "\(move[key] == .null ? "nothing yet" : PageNumber.text(move[key]))"
      }
    }
    let undo: HTML = document["undo_command"]?.text.map { "<p>This moves it back: <code>\($0)</code></p>\n" } ?? ""
    return ("Moves", table.markup + undo)
  }

  private var difference: Section? {
    guard let difference = document["first_difference"], difference["line"] != nil else { return nil }
    func line(_ key: String) -> HTML { "<code>\(difference[key]?.text ?? "no such line")</code>" }
    return (
      "First difference",
      """
      <p>Line \(PageNumber.text(difference["line"])) of the two reports:</p>
      <dl class="facts"><dt>first pass</dt><dd>\(line("initial"))</dd>
      <dt>after the replay</dt><dd>\(line("replay"))</dd></dl>

      """
    )
  }

  /// Where the topic is not what a certificate says, with `--verify`.
  private var certificate: Section? {
    let differences = elements("differences")
    if differences.isEmpty { return nil }
    var table = PageTable(
      caption: "Differences from the certificate",
      columns: [
        .number("partition"), .number("chunk"), .text("records"), .text("offsets here"), .number("missing at the end"),
      ])
    table.rows = differences.map { difference in
      func range(_ first: String, _ last: String) -> HTML {
        guard let first = difference[first]?.integer, let last = difference[last]?.integer else { return "none" }
        return "\(first.grouped) to \(last.grouped)"
      }
      return [
        "\(PageNumber.text(difference["partition"]))", "\(PageNumber.text(difference["chunk"]))",
        range("first_record", "last_record"), range("first_offset", "last_offset"),
        "\(PageNumber.text(difference["missing"]))",
      ]
    }
    var html = table.markup
    if let first = document["first_record"], let number = first["number"]?.integer {
      html += """
        <p>The first record that differs is number \(number.grouped) of its partition:
        <code>\(first["here"]?.text ?? "missing")</code> here, <code>\(first["there"]?.text ?? "missing")</code> on the other
        log.</p>

        """
    }
    return ("Differences from the certificate", html)
  }

  private var recordsGone: Section? {
    let ranges = elements("records_gone").compactMap(\.text)
    if ranges.isEmpty { return nil }
    return ("Records gone", "<ul>\(ranges.map { HTML("<li><code>\($0)</code></li>") }.joined())</ul>\n")
  }

  // MARK: - status

  private var topics: Section? {
    let topics = elements("topics")
    if topics.isEmpty { return nil }
    var html: HTML = ""
    var table = PageTable(
      caption: "Topics", columns: [.text("topic"), .number("partitions"), .number("records"), .text("remark")])
    for topic in topics {
      let partitions = topic["partitions"]?.elements ?? []
      let sizes = partitions.map { partition -> Double? in
        guard let low = partition["low"]?.number, let high = partition["high"]?.number else { return nil }
        return max(0, high - low)
      }
      let known = sizes.compactMap { $0 }
      let size = known.count == sizes.count ? PageNumber.decimal(known.reduce(0, +)) : PageNumber.unknown
      let name = topic["name"]?.text ?? ""
      table.rows.append(["\(name)", "\(partitions.count)", "\(size)", "\(topic["reason"]?.text ?? "")"])
      html += partitionTable(of: name, partitions)
    }
    return ("Topics", table.markup + html)
  }

  private func partitionTable(of name: String, _ partitions: [DocumentValue]) -> HTML {
    let hasLeaders = partitions.contains { $0["leader"] != nil }
    var table = PageTable(
      caption: "Partitions of \(name)",
      columns: [.text("partition"), .number("low"), .number("high"), .number("stable")]
        + (hasLeaders ? [.number("leader"), .text("in sync")] : []) + [.text("remark")])
    table.rows = partitions.map { partition in
      var row: [HTML] = ["\(PageNumber.text(partition["partition"]))"]
      row += ["low", "high", "stable"].map { "\(PageNumber.text(partition[$0]))" }
      if hasLeaders {
        let inSync = (partition["in_sync"]?.elements ?? []).compactMap(\.numberText).joined(separator: " ")
        row += ["\(PageNumber.text(partition["leader"]))", "\(inSync)"]
      }
      return row + ["\(partition["reason"]?.text ?? "")"]
    }
    return table.folded("Partitions of \(name)")
  }

  private var groups: Section? {
    let groups = elements("groups")
    if groups.isEmpty {
      return document["groups_reason"]?.text.map { ("Groups", "<p>Groups may be missing: \($0)</p>\n") }
    }
    var table = PageTable(
      caption: "Groups",
      columns: [.text("group"), .text("state"), .number("members"), .number("lag"), .text("remark")])
    var html: HTML = ""
    for group in groups {
      let name = group["group"]?.text ?? ""
      let members =
        group["members_known"]?.bool == false ? PageNumber.unknown : String(group["members"]?.elements.count ?? 0)
      var lag = PageNumber.text(group["lag"])
      if group["lag"] == .null, let least = group["lag_at_least"] { lag += ", at least \(PageNumber.text(least))" }
      table.rows.append([
        "\(name)", "\(group["state"]?.text ?? PageNumber.unknown)", "\(members)", "\(lag)",
        "\(group["reason"]?.text ?? "")",
      ])
      html += explanation(of: name, group) + lagTable(of: name, group["partitions"]?.elements ?? [])
    }
    let note: HTML =
      document["groups_reason"]?.text.map { "<p class=\"note\">Groups may be missing: \($0)</p>\n" } ?? ""
    return ("Groups", table.markup + html + note)
  }

  /// What holds a group, with what was seen of it; nothing where one look alone could not tell.
  private func explanation(of name: String, _ group: DocumentValue) -> HTML {
    guard let cause = group["cause"], group["observations"]?.integer ?? 0 > 1 else { return "" }
    func row(_ word: String, _ text: String?) -> HTML { text.map { "<dt>\(word)</dt><dd>\($0)</dd>" } ?? "" }
    func number(_ key: String, _ unit: String) -> String? {
      guard let value = group[key], value.number != nil else { return nil }
      return PageNumber.text(value) + unit
    }
    let clear =
      number("clear_in_seconds", " s").map { time in
        "in \(time)\(number("clear_in_seconds_error", " s").map { " ± \($0)" } ?? "")"
      }
    let evidence = (cause["evidence"]?.elements ?? []).compactMap(\.text).map { HTML("<li>\($0)</li>") }
    return """
      <h3>Why \(name) is behind</h3>
      <p>\(cause["sentence"]?.text ?? "")</p>
      <ul>\(evidence.joined())</ul>
      <dl class="facts">\(row("remedy", cause["remedy"]?.text))\(row("state", group["lag_state"]?.text))\
      \(row("lag in time", number("lag_seconds", " s")))\(row("arrives", number("arrival_per_second", "/s")))\
      \(row("is served", number("service_per_second", "/s")))\
      \(row("clear", group["clear"]?.text == "in" ? clear : group["clear_reason"]?.text ?? group["clear"]?.text))\
      \(row("removed first", number("removed_first", " records")))</dl>

      """
  }

  private func lagTable(of name: String, _ partitions: [DocumentValue]) -> HTML {
    let largest = partitions.compactMap { $0["lag"]?.number }.max() ?? 0
    let isExplained = partitions.contains { $0["clear"] != nil && $0["arrival_per_second"] != .null }
    var table = PageTable(
      caption: "Lag of \(name) by partition",
      columns: [.text("partition"), .number("committed"), .number("stable"), .number("lag")]
        + (isExplained ? [.text("state"), .number("lag in time, s"), .number("arrives/s"), .number("served/s")] : [])
        + [.text("remark")])
    table.rows = partitions.map { partition in
      let lag = partition["lag"]
      let explained: [HTML] =
        isExplained
        ? ["\(partition["lag_state"]?.text ?? PageNumber.unknown)"]
          + ["lag_seconds", "arrival_per_second", "service_per_second"].map { "\(PageNumber.text(partition[$0]))" } : []
      return [
        "\(partition["topic"]?.text ?? "")[\(PageNumber.text(partition["partition"]))]",
        "\(PageNumber.text(partition["committed"]))", "\(PageNumber.text(partition["stable"]))",
        "\(PageNumber.text(lag))",
      ] + explained + ["\(partition["reason"]?.text ?? "")\(Self.meter(lag?.number, of: largest))"]
    }
    return table.rows.isEmpty ? "" : table.folded("Lag of \(name) by partition")
  }

  // MARK: - backup

  private var copiedTopics: Section? {
    var table = PageTable(caption: "Topics", columns: [.text("topic"), .number("partitions"), .number("records")])
    table.rows = elements("topics").map { topic in
      [
        "\(topic["name"]?.text ?? "")", "\(PageNumber.text(topic["partitions"]))",
        "\(PageNumber.text(topic["records"]))",
      ]
    }
    return table.rows.isEmpty ? nil : ("Topics", table.markup)
  }

  // MARK: - delete

  private var removedTopics: Section? {
    var table = PageTable(
      caption: "Topics", columns: [.text("topic"), .number("partitions"), .number("records"), .text("read by")])
    table.rows = elements("topics").map { topic in
      [
        "\(topic["name"]?.text ?? "")", "\(PageNumber.text(topic["partitions"]))",
        "\(PageNumber.text(topic["records"]))",
        "\(names(topic["readers"]))",
      ]
    }
    return table.rows.isEmpty ? nil : ("Topics", table.markup)
  }

  private var removedGroups: Section? {
    var table = PageTable(
      caption: "Groups", columns: [.text("group"), .number("committed offsets"), .number("state records")])
    table.rows = elements("groups").map { group in
      [
        "\(group["group"]?.text ?? "")", "\(PageNumber.text(group["offsets"]))",
        "\(PageNumber.text(group["state_records"]))",
      ]
    }
    return table.rows.isEmpty ? nil : ("Groups", table.markup)
  }

  private var removedStarts: Section? {
    var table = PageTable(
      caption: "Starts of partitions",
      columns: [.text("partition"), .number("from"), .number("up to"), .number("records"), .text("not read by")])
    table.rows = elements("starts").map { start in
      [
        "\(start["topic"]?.text ?? "")[\(PageNumber.text(start["partition"]))]", "\(PageNumber.text(start["low"]))",
        "\(PageNumber.text(start["before"]))", "\(PageNumber.text(start["records"]))", "\(names(start["unread_by"]))",
      ]
    }
    return table.rows.isEmpty ? nil : ("Starts of partitions", table.markup)
  }

  private var left: Section? {
    let left = elements("left").compactMap(\.text)
    return left.isEmpty ? nil : ("Left", "<ul>\(left.map { HTML("<li>\($0)</li>") }.joined())</ul>\n")
  }
}

extension HTML {
  static func + (left: HTML, right: HTML) -> HTML { "\(left)\(right)" }
}
