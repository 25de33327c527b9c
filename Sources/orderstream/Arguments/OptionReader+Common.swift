import OrderStreamCore

extension OptionReader {
  /// Properties that have an option of their own, which messages, documents and checks rely on.
  private static let ownOptions = [
    "bootstrap.servers": "--brokers", "metadata.broker.list": "--brokers", "group.id": "--group",
  ]
  private static let logLevelVariable = "ORDERSTREAM_LOG_LEVEL"
  private static let logLevelKeys = ["log-level"]

  func common() throws(CommandError) -> CommonOptions {
    CommonOptions(
      brokers: try value(.brokers, BrokerSpec.parse),
      partitions: try optionalInteger(.partitions, in: 1...CommonOptions.maxPartitions),
      replicationFactor: try optionalInteger(.replicationFactor, in: Int16(1)...Int16.max),
      properties: try properties(),
      configFile: text(.config)?.text,
      wait: try optional(.wait, DurationArgument.parse),
      json: flag(.json), quiet: flag(.quiet), verbose: flag(.verbose),
      color: try choice(.color), progress: try choice(.progress),
      logLevel: try logLevel())
  }

  func bounds() throws(CommandError) -> RunBounds {
    let idleTimeout = try optional(.idleTimeout, DurationArgument.parse)
    return RunBounds(
      follow: flag(.follow) || idleTimeout != nil, idleTimeout: idleTimeout,
      maxEvents: try optionalInteger(.maxEvents, in: 0...Int64.max))
  }

  func topic() throws(CommandError) -> String { try value(.topic, NameArgument.parse) }

  func group() throws(CommandError) -> String { try value(.group, NameArgument.parse) }

  func instance() throws(CommandError) -> String? { try optional(.instance, NameArgument.parse) }

  /// The topic of the inventory events, which is not the source.
  func outputTopic(source: String) throws(CommandError) -> String {
    let output = try value(.outputTopic, NameArgument.parse)
    if output == source {
      let option = isGiven(.outputTopic) || !isGiven(.topic) ? "--output-topic" : "--topic"
      throw conflict("option \(option)", "'\(output)' is both the source and the output", "name two topics")
    }
    return output
  }

  /// `-v` and `-q` win over the environment, and it over the file; `-v` over `-q`.
  private func logLevel() throws(CommandError) -> LogLevel {
    if flag(.verbose) { return .debug }
    if flag(.quiet) { return .error }
    var raw = file(Self.logLevelKeys)
    if let text = variable(Self.logLevelVariable) {
      raw = RawValue(text: text, source: .environment(Self.logLevelVariable))
    }
    guard let raw else { return .warning }
    guard let level = LogLevel(name: raw.text) else {
      let names = LogLevel.names.map(\.name).joined(separator: ", ")
      throw raw.error(
        ValueError(why: "'\(raw.text)' is no log level", remedy: "give one of \(names)"), command: command.name)
    }
    return level
  }

  private func properties() throws(CommandError) -> [Property] {
    let ours = Set(CommandTable.anyOption.values.flatMap(\.fileKeys) + Self.logLevelKeys)
    var all = fileLines.filter { !ours.contains($0.key) }.map { Property(key: $0.key, value: $0.value) }
    for raw in flags(.property) {
      let property: Property
      do { property = try Property.parse(raw.text) } catch { throw raw.error(error, command: command.name) }
      if let option = Self.ownOptions[property.key] {
        throw CommandError(
          .configuration, "property \(property.key)", why: "it has an option of its own", remedy: "use \(option)")
      }
      all.append(property)
    }
    var last: [String: String] = [:]
    for property in all { last[property.key] = property.value }
    var seen = Set<String>()
    return all.filter { seen.insert($0.key).inserted }.map { Property(key: $0.key, value: last[$0.key] ?? $0.value) }
  }
}

extension LogLevel {
  static let names: [(name: String, level: LogLevel)] = [
    ("debug", .debug), ("info", .info), ("notice", .notice), ("warning", .warning), ("error", .error),
  ]

  init?(name: String) {
    guard let found = Self.names.first(where: { $0.name == name }) else { return nil }
    self = found.level
  }
}
