import OrderStreamCore

/// Where the metrics of `analytics` go: stdout, the file, and the terminal's charts.
final class MetricsOutput {
  /// The file of a run that is followed is written at most this often, and at most at this rate: with a million minutes a
  /// report has 28 MB.
  private static let fileInterval = Duration.seconds(1)
  private static let fileBytesPerSecond: Int64 = 10_000_000

  private let context: CommandContext
  private let broker: String
  private let file: AtomicFile?
  private let follows: Bool
  /// When the file may be written again.
  private var nextFile: Int64 = .min
  /// Whether more has been shown than the file has.
  private var isFileOld = false

  init(context: CommandContext, broker: String, file: AtomicFile?, follows: Bool) {
    self.context = context
    self.broker = broker
    self.file = file
    self.follows = follows
  }

  /// The result of the run: the report on stdout and, the same bytes, in the file (the file is text also with `--json`).
  func final(_ report: MetricsReport, activeMilliseconds: Int64) throws(CommandError) {
    // The result is known, whatever becomes of its file.
    let written = Result { () throws(CommandError) in try write(report) }
    if isLiveView { try context.console.write("\u{1b}[H\u{1b}[J") }
    try context.emit(report, broker: broker, activeMilliseconds: activeMilliseconds)
    context.draw("Orders by minute (░ failed)") { report.chart(width: $0) }
    try written.get()
  }

  /// The state while the run goes on: a document, a view on a terminal, or a line; and the file when it is due.
  /// - Parameter live: As `report` has it.
  func live(_ report: LiveMetricsReport, of live: LiveMetrics, activeMilliseconds: Int64) throws(CommandError) {
    isFileOld = true
    try writeFileIfDue(live)
    let buffer = ByteBuffer()
    if context.options.json {
      context.appendDocument(report, broker: broker, activeMilliseconds: activeMilliseconds, to: buffer)
    } else if isLiveView {
      // Home, the report, then nothing of what stood there before.
      buffer.append("\u{1b}[H\u{1b}[J" as StaticString)
      report.appendBody(to: buffer)
      let chart = report.chart(of: live, width: context.console.errorColumns)
      buffer.append("\n" + chart.joined(separator: "\n") + "\n\nCtrl-C ends the run.\n")
    } else {
      report.appendLine(to: buffer)
    }
    try context.console.write(buffer)
  }

  /// Brings the file to where stdout is, not too often.
  func writeFileIfDue(_ live: LiveMetrics) throws(CommandError) {
    guard isFileOld, file != nil, context.time.monotonicNanoseconds >= nextFile else { return }
    try write(MetricsReport(live.summary, processed: 0, completion: .ongoing))
  }

  /// Whether the terminal shows one report in place of the last one.
  private var isLiveView: Bool {
    follows && context.console.outputIsTerminal && context.console.canRedraw && !context.options.json
  }

  private func write(_ report: MetricsReport) throws(CommandError) {
    guard let file else { return }
    let start = context.time.monotonicNanoseconds
    let text = ByteBuffer()
    report.appendText(to: text)
    try file.write(text.bytes)
    isFileOld = false
    let rest = Int64(text.count) * (1_000_000_000 / Self.fileBytesPerSecond)
    nextFile = start + max(Self.fileInterval.nanoseconds, rest)
  }
}
