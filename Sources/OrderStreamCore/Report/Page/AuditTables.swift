/// What an audit found, in tables: verdicts, receipts, violations with their coordinates, what a witness saw.
struct AuditTables {
  private let document: Document

  init(_ document: Document) { self.document = document }

  /// Those for which the document has what they show.
  var sections: [RunTables.Section] { [verdicts, receipts, violations, witness, takenBack].compactMap { $0 } }

  private func elements(_ key: String) -> [DocumentValue] { document[key]?.elements ?? [] }

  private static let meanings: [(key: String, text: String)] = [
    ("lost", "an item without an event"), ("duplicated", "an item with more than one event"),
    ("phantom", "an event without a source"), ("wrong_action", "an event that does not say what its order says"),
    ("reordered", "an event before one of an earlier order"),
    ("wrong_partition", "an event that is not in the partition of its key"),
    ("pending", "an item that the group has not committed yet"),
    ("other", "an event of another topic"), ("unverifiable", "retention has removed the order or the event"),
    ("outside", "an event of an order that was not asked about"),
    ("dead_letters", "a record of the dead-letter topic"),
    ("dead_letters_lost", "a rejected record without a dead letter"),
    ("dead_letters_duplicated", "a rejected record with more than one"),
    ("dead_letters_altered", "a dead letter that is not what its record was"),
    ("dead_letters_phantom", "a dead letter without a rejected record"),
    ("dead_letters_pending", "a rejected record that the group has not committed yet"),
    ("dead_letters_other", "a dead letter of another topic or group"),
    ("acknowledged", "a record that a receipt says was acknowledged"),
    ("acknowledged_missing", "an acknowledged record that is not there"),
    ("acknowledged_altered", "an acknowledged record in whose place there is another"),
    ("acknowledged_twice", "an acknowledged record that is there again"),
    ("unacknowledged_present", "an order that is there without an acknowledgement"),
    ("unreceipted", "another record of no receipt"),
  ]

  private var verdicts: RunTables.Section? {
    var table = PageTable(
      caption: "Findings", columns: [.text("finding"), .text("meaning"), .number("count")])
    table.rows = Self.meanings.compactMap { key, text in
      guard let count = document[key], count != .null else { return nil }
      return ["\(key.replacing("_", with: " "))", "\(text)", "\(PageNumber.text(count))"]
    }
    return table.rows.isEmpty ? nil : ("Findings", table.markup)
  }

  /// What came of each partition of each receipt.
  private var receipts: RunTables.Section? {
    var table = PageTable(
      caption: "Receipts",
      columns: [
        .text("file"), .text("run"), .number("partition"), .number("acknowledged"), .number("missing"),
        .number("altered"), .number("twice"), .number("unverifiable"),
      ])
    for receipt in elements("receipts") {
      let isComplete = receipt["complete"]?.bool == true
      for partition in receipt["partitions"]?.elements ?? [] {
        let numbers: [HTML] = ["partition", "records", "missing", "altered", "twice", "unverifiable"].map { key in
          "\(PageNumber.text(partition[key]))"
        }
        let note = isComplete ? "" : " (without a whole end)"
        let run: HTML = "<code>\(receipt["run"]?.text ?? "")</code>\(note)"
        let file: HTML = "\(receipt["file"]?.text ?? "")"
        table.rows.append([file, run] + numbers)
      }
    }
    if table.rows.isEmpty { return nil }
    return ("Receipts", table.rows.count > 16 ? table.folded("\(table.rows.count) partitions") : table.markup)
  }

  private var violations: RunTables.Section? {
    let violations = elements("violations")
    if violations.isEmpty { return nil }
    let items = violations.map { violation -> HTML in
      var places: [HTML] = ["source", "output"].compactMap { key in
        violation[key]?.text.map { HTML("\(key) <code>\($0)</code>") }
      }
      if let chunk = violation["chunk"]?.integer { places.append("chunk \(String(chunk)) of the receipt") }
      let facts = ["expected", "found"].map { key in
        HTML("<dt>\(key)</dt><dd><code>\(violation[key]?.text ?? "nothing")</code></dd>")
      }
      return """
        <li><b>\((violation["verdict"]?.text ?? "violation").replacing("_", with: " "))</b>: \(places.joined(", "))
        <dl>\(facts.joined())</dl></li>

        """
    }
    // Each list of a verdict has its first ones only.
    let notes = AuditFindings.Verdict.allCases.compactMap { verdict -> String? in
      let shown = violations.count { $0["verdict"]?.text == verdict.rawValue }
      guard let count = document[verdict.rawValue]?.integer, shown < count else { return nil }
      return "\(verdict.rawValue.replacing("_", with: " ")): \(shown) of \(count.grouped) shown."
    }
    let note: HTML = notes.isEmpty ? "" : "<p class=\"note\">\(notes.joined(separator: " "))</p>\n"
    return ("Violations", "<ol class=\"violations\">\n\(items.joined())</ol>\n\(note)")
  }

  private static let seen: [(key: String, text: String)] = [
    ("committed", "records that the committed reader saw"),
    ("uncommitted", "records that the uncommitted reader saw"),
    ("aborted_seen", "a committed reader saw a record that was aborted"),
    ("changed", "an offset held two different records"), ("vanished", "a record that was seen has gone"),
    ("skipped", "a reader passed a record without seeing it"), ("went_back", "a reader was given an offset again"),
    ("unverifiable", "retention has removed what was seen"), ("made_anew", "the topic was deleted and made again"),
  ]

  /// What the readers of `--follow` saw.
  private var witness: RunTables.Section? {
    guard let input = document["witness"]?["input"], let output = document["witness"]?["output"] else { return nil }
    var table = PageTable(
      caption: "Witness",
      columns: [
        .text("finding"), .text("meaning"), .number(input["topic"]?.text ?? ""), .number(output["topic"]?.text ?? ""),
      ])
    table.rows = Self.seen.map { key, text in
      [
        "\(key.replacing("_", with: " "))", "\(text)", "\(PageNumber.text(input[key]))",
        "\(PageNumber.text(output[key]))",
      ]
    }
    return ("Witness", table.markup)
  }

  /// What the logs have taken back.
  private var takenBack: RunTables.Section? {
    let violations = ["input", "output"].flatMap { document["witness"]?[$0]?["violations"]?.elements ?? [] }
    if violations.isEmpty { return nil }
    let items = violations.map { violation -> HTML in
      """
      <li><b>\((violation["verdict"]?.text ?? "violation").replacing("_", with: " "))</b>: \
      <code>\(violation["record"]?.text ?? "")</code>, \(violation["reader"]?.text ?? "") reader: \
      \(violation["detail"]?.text ?? "")</li>

      """
    }
    return (
      "Taken back", "<ol class=\"violations\">\n\(items.joined())</ol>\n<p class=\"note\">Up to 20 of each.</p>\n"
    )
  }
}
