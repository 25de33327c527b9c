import OrderStreamCore
import OrderStreamEmbedded

/// `backup`: copies an embedded log that is in use, and proves the copy by reading it.
struct BackupCommand {
  let options: BackupOptions
  let context: CommandContext

  func run() throws -> ExitCode {
    let target = try BackupTarget(options.directory)
    defer { target.discard() }
    let broker = try context.openBroker(to: .read, outages: .look)
    guard let log = BrokerFactory.embedded(broker) else {
      throw CommandError(
        .input, "cannot back up \(broker.name)", why: "there is no log in that directory",
        remedy: "name the log with --brokers embedded:<directory>")
    }
    var report = BackupReport(source: broker.name, target: target.path)
    let start = context.time.monotonicNanoseconds
    let view = BackupView(context)
    let copied: LogBackup?
    do {
      defer { view.finish() }
      copied = try log.backup(to: target, stop: context.stop, progress: view.update)
    }
    let active = (context.time.monotonicNanoseconds - start) / 1_000_000
    guard let copied else {
      // Removing it may take longer than a request to stop allows.
      let context = context.goingOn()
      target.discard()
      report.completion = .cutShort(by: nil, after: view.bytes, of: view.allBytes)
      try context.emit(report, broker: broker.name, activeMilliseconds: active)
      return Signals.exitCode ?? .temporary
    }
    report.topics = copied.topics.map { .init(name: $0.name, partitions: $0.partitions, records: $0.records) }
    (report.segments, report.bytes, report.changes) = (copied.segments, copied.bytes, copied.changes)
    try context.emit(report, broker: broker.name, activeMilliseconds: active)
    return .success
  }
}

/// How far a backup is, on stderr: first the bytes that are copied, then the records that are read back.
private final class BackupView {
  private static let megabyte: Int64 = 1_000_000

  private let context: CommandContext
  private var progress: Progress
  private var isChecking = false
  private(set) var bytes: Int64 = 0
  private(set) var allBytes: Int64 = 0

  init(_ context: CommandContext) {
    self.context = context
    progress = Progress("backup: copying MB", console: context.console, time: context.time)
  }

  func update(_ step: BackupProgress) {
    switch step {
    case .copying(let done, let total):
      (bytes, allBytes) = (done, total)
      progress.update(done / Self.megabyte, of: total / Self.megabyte)
    case .checking(let done, let total):
      if !isChecking {
        isChecking = true
        progress = Progress("backup: reading the copy", console: context.console, time: context.time)
      }
      progress.update(done, of: total)
    }
  }

  func finish() { progress.finish() }
}

/// `orderstream backup`, checked.
struct BackupOptions: Hashable, Sendable {
  var common: CommonOptions
  var directory: String

  init(_ reader: OptionReader, directory: String?) throws(CommandError) {
    common = try reader.common()
    guard let directory, !directory.isEmpty else {
      throw reader.conflict(
        "backup", "no directory is named for the copy", "name a new or an empty one, like 'orderstream backup copy'")
    }
    if directory == "-" {
      throw reader.conflict("argument '-'", "a copy of a log is a directory", "name a new or an empty one")
    }
    if case .kafka = common.brokers {
      throw reader.conflict(
        "backup", "--brokers names a Kafka cluster, and only an embedded log is copied so",
        "copy a topic with 'tail --exact' and 'produce --input - --exact', or a cluster with MirrorMaker")
    }
    self.directory = directory
  }
}

extension CommandSpec {
  static let backup = CommandSpec(
    name: .backup, summary: "copy an embedded log that is in use",
    details: """
      Copies the log to a new or an empty directory as it is at one moment, topics, groups, offsets and state, while others \
      go on writing to it; then opens the copy and reads every record in it. The directory gets its name last, so one that \
      is there is whole. Open it with --brokers embedded:<directory>.
      """,
    positional: .init(placeholder: "<directory>", completion: .file, isRequired: true),
    options: OptionSpec.results(.page, .metrics, .junit) + OptionSpec.connection + OptionSpec.presentation,
    examples: [
      .init(text: "copy the default log", command: "orderstream backup /backup/orders"),
      .init(
        text: "another log, and a verdict for a CI server or a monitor",
        command: "orderstream backup copy -b embedded:log --junit backup.xml"),
    ])
}
