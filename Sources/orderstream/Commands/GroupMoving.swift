import OrderStreamCore

/// `replay --group --from`: moves a group of `analytics` to a place, state and offsets together; without `--execute` it
/// says what would be done.
struct GroupMoving {
  let options: ReplayOptions
  let group: String
  let context: CommandContext

  func run() throws -> ExitCode {
    var places = options.from
    if let file = options.offsetsFile {
      places = try OffsetsFile(file, topic: options.topic, group: group).places(context.console)
    }
    let broker = try context.openBroker(
      to: options.execute ? .write : .read, outages: options.execute ? .run : .look)
    let admin = try broker.admin()
    defer { admin.close() }
    _ = try SourceTopic(options.topic, follow: false, context: context, admin: admin)
    guard let topic = try admin.topic(options.topic) else { throw PipelineError.broker(Self.gone(options.topic)) }
    let move = try GroupMove(
      of: group, on: topic, to: places, broker: broker, admin: admin, now: context.time.wallMilliseconds,
      acceptsLoss: options.acceptLoss, stop: context.stop)
    if move.isThere {
      let outcome: MoveReport.Outcome = options.execute ? move.before.map { .moved($0) } ?? .planned : .planned
      try context.emit(MoveReport(move, outcome), broker: broker.name, activeMilliseconds: nil)
      return .success
    }
    let undo = try undoFile(move)
    guard options.execute else {
      try context.emit(
        MoveReport(move, .planned, undoFile: undo.path), broker: broker.name, activeMilliseconds: nil)
      return .success
    }
    return try execute(move, undo, broker)
  }

  private func execute(_ move: GroupMove, _ undo: UndoFile, _ broker: any Broker) throws -> ExitCode {
    let start = context.time.monotonicNanoseconds
    func finish(_ outcome: MoveReport.Outcome, undoFile: String?) throws -> ExitCode {
      try context.emit(
        MoveReport(move, outcome, undoFile: undoFile, undoCommand: undoFile.map { command(undoing: $0, broker) }),
        broker: broker.name, activeMilliseconds: (context.time.monotonicNanoseconds - start) / 1_000_000)
      if case .moved = outcome { return .success }
      return Signals.exitCode ?? .success
    }
    let waits: (PipelineWait) -> Void = { [context] in context.console.note($0.description) }
    let progress = Progress("replay, the state at the place", console: context.console, time: context.time)
    defer { progress.finish() }
    let state = try move.recompute(
      broker: broker, stop: context.stop, waits: waits,
      progress: { progress.update($0, of: move.recordsToRead) })
    progress.finish()
    func cutShort() -> MoveReport.Outcome {
      .cutShort(.cutShort(by: nil, after: state?.records ?? 0, of: move.recordsToRead))
    }
    guard let state else { return try finish(cutShort(), undoFile: nil) }
    try undo.write()
    context.console.note(
      "the offsets of \(group) are in \(undo.path) now; this moves it back: \(command(undoing: undo.path, broker))")
    Failpoint.reach("move/undo-written")
    guard
      let summary = try move.apply(
        state, broker: broker, time: context.time, stop: context.stop, waits: waits)
    else { return try finish(cutShort(), undoFile: nil) }
    return try finish(.moved(summary), undoFile: undo.path)
  }

  private static func gone(_ topic: String) -> BrokerError {
    BrokerError(.unknownTopic, "cannot read \(topic)", why: "it was deleted", remedy: "try again", recovery: .none)
  }

  // MARK: - Undo

  /// Where the offsets of before go. A file with other offsets is never replaced: it may be the undo of an earlier move,
  /// or what this move was read from.
  private struct UndoFile {
    let file: AtomicFile
    let text: String

    var path: String { file.path }

    func write() throws { try file.write(text) }
  }

  /// Names that are tried for one group in one directory.
  private static let mostUndoFiles = 1000

  private func undoFile(_ move: GroupMove) throws -> UndoFile {
    let text = OffsetsFile.text(topic: options.topic, move.steps.map(\.origin))
    func isFree(_ path: String) -> Bool {
      guard AtomicFile.exists(path) else { return true }
      let found = try? FileDescriptor.contents(of: path, limit: text.utf8.count, remedy: "")
      return found.map { $0.bytes.elementsEqual(text.utf8) } ?? false
    }
    func checked(_ path: String) throws -> UndoFile {
      UndoFile(file: try BrokerFactory.outputFile(path, context.options.brokers), text: text)
    }
    if let path = options.undoFile {
      guard isFree(path) else {
        throw CommandError(
          .creation, "cannot write the undo file \(path)", why: "it is there, and may be the undo of an earlier move",
          remedy: "name another one with --undo-file")
      }
      return try checked(path)
    }
    let names = (1...Self.mostUndoFiles).lazy.map { number in
      "replay-undo-\(group)\(number == 1 ? "" : "-\(number)").csv"
    }
    guard let path = names.first(where: isFree) else {
      throw CommandError(
        .creation, "cannot write an undo file", why: "\(Self.mostUndoFiles) of group \(group) are here already",
        remedy: "remove old ones, or name one with --undo-file")
    }
    return try checked(path)
  }

  /// The command that moves the group back.
  private func command(undoing file: String, _ broker: any Broker) -> String {
    var words = ["orderstream", "replay"]
    if context.options.brokers != .embedded(directory: nil) { words += ["-b", broker.name] }
    if let config = context.options.configFile { words += ["-F", config] }
    if options.topic != OptionSpec.topic.defaultValue { words += ["-t", options.topic] }
    words += ["--group", group, "--execute", "--offsets-file", file]
    if options.acceptLoss { words.append("--accept-loss") }
    return words.joined(separator: " ")
  }
}
