import OrderStreamCore

/// Where the metrics of `analytics` go: stdout, the file, and the terminal's charts.
struct MetricsOutput {
  let context: CommandContext
  let broker: String
  let file: AtomicFile?
  let follows: Bool

  /// The result of the run: the report on stdout and, the same bytes, in the file (the file is text also with `--json`).
  func final(_ report: MetricsReport, activeMilliseconds: Int64) throws(CommandError) {
    try write(report)
    if isLiveView { try context.console.write("\u{1b}[H\u{1b}[J") }
    try context.emit(report, broker: broker, activeMilliseconds: activeMilliseconds)
    context.draw("Orders by minute (░ failed)") { report.chart(width: $0) }
  }

  /// The state while the run goes on: a document, a view on a terminal, or a line.
  func live(_ report: MetricsReport, activeMilliseconds: Int64) throws(CommandError) {
    try write(report)
    let buffer = ByteBuffer()
    if context.options.json {
      context.appendDocument(report, broker: broker, activeMilliseconds: activeMilliseconds, to: buffer)
    } else if isLiveView {
      // Home, the report, then nothing of what stood there before.
      buffer.append("\u{1b}[H\u{1b}[J" as StaticString)
      report.appendSummary(to: buffer)
      let chart = report.chart(width: context.console.errorColumns)
      buffer.append("\n" + chart.joined(separator: "\n") + "\n\nCtrl-C ends the run.\n")
    } else {
      report.appendLine(to: buffer)
    }
    try context.console.write(buffer)
  }

  /// Whether the terminal shows one report in place of the last one.
  private var isLiveView: Bool {
    follows && context.console.outputIsTerminal && context.console.canRedraw && !context.options.json
  }

  private func write(_ report: MetricsReport) throws(CommandError) {
    guard let file else { return }
    let text = ByteBuffer()
    report.appendText(to: text)
    try file.write(text.bytes)
  }
}
