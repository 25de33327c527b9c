/// The part of a page that one run has: the verdict, what matters most of it, and all that is behind.
struct RunPage {
  let document: Document
  let verdict: RunVerdict
  let figures: [RunFigure]
  /// Of the headings of sections.
  private let level: Int

  init(_ document: Document, level: Int) {
    self.document = document
    self.level = level
    verdict = RunVerdict(document)
    figures = RunFigure.all(of: document)
  }

  /// Where and when it ran, below its heading.
  func subtitle(hasBroker: Bool) -> HTML {
    var parts: [HTML] = []
    if hasBroker, let broker = document["broker"]?.text { parts.append("<span class=\"wide\">on \(broker)</span>") }
    if let start = document["run"]?["started_at"]?.text { parts.append("<span>\(PageNumber.time(start))</span>") }
    parts.append("<span>took \(PageNumber.duration(document["elapsed_ms"]))</span>")
    return "<p class=\"sub\">\(parts.joined(", "))</p>\n"
  }

  var markup: HTML {
    var html: HTML = """
      <div class="verdict \(verdict.kind)">\(verdict.icon)<div><strong>\(verdict.word)</strong>\
      <p>\(verdict.reason(document))</p></div></div>

      """
    html += figureList
    html += claims
    html += RunCharts(document).sections.map { section($0.title, $0.content) }.joined()
    html += RunTables(document).sections.map { section($0.title, $0.content) }.joined()
    html += section("What was run", RunFactsList(document).markup)
    return html
  }

  private func section(_ title: String, _ content: HTML) -> HTML {
    let (open, close): (HTML, HTML) = level == 2 ? ("<h2>", "</h2>") : ("<h3>", "</h3>")
    return "<section class=\"card\">\(open)\(title)\(close)\n\(content)</section>\n"
  }

  private var figureList: HTML {
    if figures.isEmpty { return "" }
    let items = figures.map { figure -> HTML in
      let tone: HTML = figure.isBad ? " class=\"no\"" : ""
      let note: HTML = figure.note.map { " <small>\($0)</small>" } ?? ""
      return "<li><span>\(figure.label)</span> <b\(tone)>\(figure.value)</b>\(note)</li>\n"
    }
    return "<ul class=\"figures\">\n\(items.joined())</ul>\n"
  }

  private var claims: HTML {
    let claims = document.claimsOfAnyVersion
    if claims.isEmpty { return "" }
    let items = claims.map { claim -> HTML in
      let (kind, word): (HTML, String) =
        switch claim.holds {
        case true?: ("yes", "holds")
        case false?: ("no", "does not hold")
        case nil: ("open", "not shown")
        }
      let detail: HTML = claim.detail.map { "<em>: \($0)</em>" } ?? ""
      let verdict: HTML = claim.holds == true ? "<span class=\"unseen\">\(word): </span>" : "<b>\(word):</b> "
      return "<li class=\"\(kind)\">\(RunVerdict.icon(kind.markup))<span>\(verdict)\(claim.text)\(detail)</span></li>\n"
    }
    return section("Claims", "<ul class=\"claims\">\n\(items.joined())</ul>\n")
  }
}

/// A number that a run is told by.
struct RunFigure {
  var label: String
  var value: String
  /// Smaller, below it.
  var note: String?
  /// Whether it should be another one.
  var isBad = false

  /// On one line with others: `orders: 10,000`.
  var summary: String { "\(label.prefix(1).lowercased())\(label.dropFirst()): \(value)" }

  /// What matters most of a run, that first.
  static func all(of document: Document) -> [RunFigure] {
    func plain(_ label: String, _ key: String) -> RunFigure? {
      document.root[path: key].map { RunFigure(label: label, value: PageNumber.text($0)) }
    }
    func unwanted(_ label: String, _ key: String, always: Bool = true) -> RunFigure? {
      guard let value = document[key] else { return nil }
      let isBad = (value.number ?? 0) > 0
      return always || isBad ? RunFigure(label: label, value: PageNumber.text(value), isBad: isBad) : nil
    }
    func count(_ label: String, _ key: String) -> RunFigure? {
      guard case .list(let elements)? = document[key] else { return nil }
      return RunFigure(label: label, value: Int64(elements.count).grouped)
    }
    let figures: [RunFigure?]
    switch document.command {
    case "produce":
      let isUnanswered = document["acks"]?.text == "0"
      var acknowledged = isUnanswered ? plain("Sent, not acknowledged", "sent") : plain("Acknowledged", "acknowledged")
      acknowledged?.note = document["requested"].map { "of \(PageNumber.text($0)) requested" }
      figures = [
        acknowledged, plain("Events a second", "events_per_second"), latency(document),
        unwanted("Failed deliveries", "failed_deliveries"), unwanted("Perhaps on the log", "uncertain", always: false),
        unwanted("Possibly duplicated", "possibly_duplicated", always: false),
        unwanted("Behind later ones", "reordered", always: false), plain("Failed orders", "failed_orders"),
        unwanted("Rejected lines", "rejected", always: false),
      ]
    case "inventory":
      var items = plain("Items", "items")
      items?.note =
        "\(PageNumber.text(document["reserved"])) reserved, \(PageNumber.text(document["released"])) released"
      figures = [
        plain("Orders", "orders"), items, plain("Rejected records", "rejected"), latency(document),
        unwanted("Lost to retention", "lost_to_retention", always: false),
      ]
    case "analytics":
      var current = plain("Current a minute", "current_orders_per_minute")
      current?.note = document["current_minute"]?.text.map(minute)
      var failed = plain("Failed orders", "failed_orders")
      failed?.note = document["failure_rate_percent"].map { "\(PageNumber.text($0)) %" }
      figures = [
        plain("Total orders", "total_orders"), failed, plain("Average a minute", "average_orders_per_minute"), current,
        plain("Rejected records", "rejected"), plain("Processed in this run", "processed"), latency(document),
        unwanted("Lost to retention", "lost_to_retention", always: false),
      ]
    case "replay" where document["moves"] != nil:
      figures = [
        document["executed"]?.bool.map { RunFigure(label: "Moved", value: $0 ? "yes" : "no") },
        plain("Orders, before", "initial.total_orders"), plain("Orders, at the place", "replay.total_orders"),
        plain("Records to read", "records_to_read"),
      ]
    case "replay":
      figures = [
        document["match"].map { match in
          let word = match.bool.map { $0 ? "identical" : "differ" } ?? "not compared"
          return RunFigure(label: "Reports", value: word, isBad: match.bool == false)
        },
        plain("Orders, first pass", "initial.total_orders"), plain("Orders, replay", "replay.total_orders"),
        plain("Failure rate, percent", "initial.failure_rate_percent"),
      ]
    case "lag-demo" where document["scenario"] != nil:
      figures = [
        plain("Cause made", "cause_made"), plain("Cause named", "cause_named"), plain("Peak lag", "peak_lag"),
        plain("Forecast, seconds", "forecast_seconds"), plain("Real rest, seconds", "rest_seconds"),
        plain("Error, percent", "error_percent"),
      ]
    case "lag-demo":
      let drain = document["drain_ms"].map { drain in
        RunFigure(
          label: "Time to drain", value: drain == .null ? "not drained" : PageNumber.duration(drain),
          isBad: drain == .null)
      }
      figures = [
        plain("Peak lag", "peak_lag"), drain, plain("Produced", "produced"), plain("Consumed", "consumed"),
        unwanted("Lost", "lost"), unwanted("Duplicated", "duplicated"),
        unwanted("Failed deliveries", "failed_deliveries", always: false),
      ]
    case "status":
      var lag = plain("Lag of all groups", "lag")
      if document["lag"] == .null { lag?.note = document["lag_at_least"].map { "at least \(PageNumber.text($0))" } }
      figures = [count("Topics", "topics"), count("Groups", "groups"), lag]
    case "audit":
      let verdicts = AuditFindings.Verdict.allCases.map { document[$0.rawValue]?.number ?? 0 }
      let seen = ["input", "output"].compactMap { document["witness"]?[$0] }
      let takenBack = seen.flatMap { topic in
        WitnessFindings.Verdict.allCases.map { topic[$0.rawValue]?.number ?? 0 }
      }
      let violations = (verdicts + takenBack).reduce(0, +)
      figures = [
        RunFigure(label: "Violations", value: PageNumber.decimal(violations), isBad: violations > 0),
        plain("Orders", "orders"),
        plain("Items", "items"), plain("Inventory events", "inventory_events"), plain("Pending", "pending"),
        plain("Rejected records", "rejected"), plain("Unverifiable", "unverifiable"), latency(document),
      ]
    case "backup":
      figures = [
        plain("Records", "records"), count("Topics", "topics"), plain("Segments", "segments"), plain("Bytes", "bytes"),
      ]
    case "delete":
      figures = [
        document["executed"]?.bool.map { RunFigure(label: "Executed", value: $0 ? "yes" : "no, a plan") },
        count("Topics", "topics"), count("Groups", "groups"), plain("Records", "records"),
      ]
    default: figures = []
    }
    return figures.compactMap { $0 }
  }

  private static func latency(_ document: Document) -> RunFigure? {
    guard let p99 = document.root[path: "latency_ms.p99"]?.number else { return nil }
    return RunFigure(
      label: "Latency, p99", value: PageNumber.duration(milliseconds: p99),
      note: document.root[path: "latency_ms.p50"]?.number.map { "half within \(PageNumber.duration(milliseconds: $0))" }
    )
  }

  private static func minute(_ text: String) -> String { "\(text.replacing("T", with: " ")) UTC" }
}

/// What was run, and how to run it again.
private struct RunFactsList {
  private let document: Document

  init(_ document: Document) { self.document = document }

  var markup: HTML {
    var html: HTML = ""
    let facts = document["run"]
    let words = (facts?["command"]?.elements ?? []).compactMap(\.text)
    if !words.isEmpty {
      let variables = (facts?["environment"]?.members ?? []).map { "\($0.key)=\(Self.quoted($0.value.text ?? ""))" }
      let line = (variables + words.map(Self.quoted)).joined(separator: " ")
      html += "<p>Run it again with:</p>\n<pre class=\"copy\"><code>\(line)</code></pre>\n"
      if line.contains("***") {
        html += "<p class=\"note\">Secrets are masked: put the values in where *** stands.</p>\n"
      }
      if document.command == "produce", !words.contains(where: { $0.hasPrefix("--seed") }),
        let seed = document["seed"]?.numberText,
        let first = document["first_order"]?.numberText
      {
        html += "<p class=\"note\">The same orders come with <code>--seed \(seed) --first-order \(first)</code>.</p>\n"
      }
    }
    var rows: [(String, String)] = []
    if let version = facts?["version"]?.text { rows.append(("Version", "orderstream \(version)")) }
    if let broker = document["broker"]?.text { rows.append(("Broker", broker)) }
    for (label, key) in [
      ("Topic", "topic"), ("Output topic", "output_topic"), ("Group", "group"), ("Guarantee", "guarantee"),
      ("Acks", "acks"),
    ] {
      if let name = document[key]?.text { rows.append((label, name)) }
    }
    if let start = facts?["started_at"]?.text { rows.append(("Started", PageNumber.time(start))) }
    rows.append(("Took", PageNumber.duration(document["elapsed_ms"])))
    if let active = document["active_ms"] { rows.append(("Records moved for", PageNumber.duration(active))) }
    let list = rows.map { HTML("<dt>\($0.0)</dt><dd>\($0.1)</dd>\n") }.joined()
    html = "<dl class=\"facts\">\n\(list)</dl>\n\(html)"
    let numbers = document.root.members.filter { member in
      switch member.value {
      case .list, .object: false
      default: true
      }
    }
    var table = PageTable(caption: "Single values of the document", columns: [.text("key"), .text("value")])
    table.rows = numbers.map { member in
      let value: HTML =
        member.value == .null
        ? "null" : "\(member.value.text ?? member.value.numberText ?? PageNumber.text(member.value))"
      return ["<code>\(member.key)</code>", value]
    }
    return html + table.folded("Single values of the document")
  }

  /// A word as a POSIX shell takes it.
  static func quoted(_ word: String) -> String {
    let isPlain =
      !word.isEmpty
      && word.unicodeScalars.allSatisfy { scalar in
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_", "-", ".", "/", ":", ",", "=", "+", "@", "%": true
        default: false
        }
      }
    return isPlain ? word : "'\(word.replacing("'", with: "'\\''"))'"
  }
}
