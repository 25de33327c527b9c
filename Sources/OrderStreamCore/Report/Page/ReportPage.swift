/// A page of the documents of one run or of several: one file of HTML without a script that refers to nothing outside of it.
/// The same documents give the same bytes.
public enum ReportPage {
  /// Appends the page.
  /// - Parameter documents: Of runs, in the order in which they are shown; at least one.
  public static func append(_ documents: [Document], to buffer: ByteBuffer) {
    precondition(!documents.isEmpty, "a page is of a run")
    let page = documents.count == 1 ? page(of: documents[0]) : page(of: documents)
    buffer.append(page.markup)
  }

  private static func frame(title: String, _ content: HTML) -> HTML {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
    <meta name="viewport" content="width=device-width,initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>\(title)</title>
    <link rel="icon" href="data:,">
    <style>
    \(HTML(stringLiteral: PageStyle.css))
    </style>
    </head>
    <body>
    \(PageStyle.shapes)<main>
    \(content)</main>
    </body>
    </html>

    """
  }

  private static func page(of document: Document) -> HTML {
    let run = RunPage(document, level: 2)
    return frame(
      title: "\(run.verdict.word): orderstream \(document.command)",
      """
      <header><h1>orderstream \(document.command)</h1>
      \(run.subtitle(hasBroker: true))</header>
      \(run.markup)
      """)
  }

  // MARK: - Several runs

  private static func page(of documents: [Document]) -> HTML {
    let runs = documents.map { RunPage($0, level: 3) }
    let brokers = documents.map { $0["broker"]?.text ?? "" }
    let isOneBroker = Set(brokers).count == 1
    let broker: HTML = isOneBroker ? "<p class=\"sub\">on \(brokers[0])</p>\n" : ""
    var content: HTML = """
      <header><h1>orderstream, \(documents.count) runs</h1>
      \(broker)</header>
      \(verdict(runs))<section class="card"><h2 class="unseen">All runs</h2>
      \(summary(runs, isOneBroker: isOneBroker).markup)</section>

      """
    for (index, run) in runs.enumerated() {
      content += """
        <article class="run" id="run-\(index + 1)"><h2>\(index + 1). \(run.document.command)</h2>
        \(run.subtitle(hasBroker: !isOneBroker))\(run.markup)</article>

        """
    }
    return frame(title: "orderstream: \(headline(runs))", content)
  }

  /// `5 of 6 runs passed, 1 FAILED`.
  private static func headline(_ runs: [RunPage]) -> String {
    let kinds: [RunVerdict] = [.failed, .cutShort, .open]
    let passed = runs.count { $0.verdict == .passed }
    let silent = runs.count { $0.verdict == .nothingClaimed }
    var parts = kinds.compactMap { kind -> String? in
      let count = runs.count { $0.verdict == kind }
      return count == 0 ? nil : "\(count) \(kind.word)"
    }
    if passed > 0 || silent < runs.count { parts.append("\(passed) passed") }
    if silent > 0 {
      parts.append(silent == runs.count ? "\(silent) runs that claim nothing" : "\(silent) without a claim")
    }
    return parts.joined(separator: ", ")
  }

  private static func verdict(_ runs: [RunPage]) -> HTML {
    let worst = [RunVerdict.failed, .cutShort, .open, .passed].first { verdict in
      runs.contains { $0.verdict == verdict }
    }
    let verdict = worst ?? .nothingClaimed
    let links = runs.enumerated().filter { $0.element.verdict == verdict && verdict != .passed }
      .map { HTML("<a href=\"#run-\($0.offset + 1)\">\($0.offset + 1). \($0.element.document.command)</a>") }
    let places: HTML = links.isEmpty || verdict == .nothingClaimed ? "" : "<p>\(links.joined(", "))</p>"
    return """
      <div class="verdict \(verdict.kind)">\(verdict.icon)<div><strong>\(verdict.word)</strong>\
      <p>\(runs.count) runs: \(headline(runs)).</p>\(places)</div></div>

      """
  }

  private static func summary(_ runs: [RunPage], isOneBroker: Bool) -> PageTable {
    var table = PageTable(
      caption: "All runs",
      columns: [.text("run"), .text("verdict"), .text("result")] + (isOneBroker ? [] : [.text("broker")])
        + [.text("started"), .number("took")])
    table.look = .stack
    for (index, run) in runs.enumerated() {
      let document = run.document
      let started = document["run"]?["started_at"]?.text.map(PageNumber.time) ?? PageNumber.unknown
      var row: [HTML] = [
        "<a href=\"#run-\(index + 1)\">\(index + 1).&nbsp;\(document.command)</a>",
        "<span class=\"tight \(run.verdict.kind)\">\(run.verdict.icon)&nbsp;\(run.verdict.word)</span>",
        "\(run.figures.prefix(2).map(\.summary).joined(separator: " · "))",
      ]
      if !isOneBroker { row.append("<span class=\"name\">\(document["broker"]?.text ?? PageNumber.unknown)</span>") }
      table.rows.append(row + ["\(started)", "\(PageNumber.duration(document["elapsed_ms"]))"])
    }
    return table
  }
}
