import OrderStreamCore

/// What all commands that use a broker have in common. Topic and group are with each command, as it needs them.
struct CommonOptions: Hashable, Sendable {
  var brokers: BrokerSpec
  /// Whether nobody has named them.
  var brokersAreDefault: Bool
  /// `--partitions`, `nil` unless given.
  var partitions: Int32?
  /// `--replication-factor`, `nil` unless given.
  var replicationFactor: Int16?
  /// `--topic-config`, for topics that must be created.
  var topicConfig: [Property]
  /// From the `-F` file, then from `-X`; one entry a key, the last value given.
  var properties: [Property]
  /// By key: what an error about a property names, `option -X` or `team.properties:3 (acks)`.
  var propertyOrigins: [String: String]
  var configFile: String?
  /// How long to keep trying; `nil`: give up within 10 s.
  var wait: Duration?
  /// How long the whole run may take; `nil`: as long as it needs.
  var timeout: Duration?
  var json: Bool
  var quiet: Bool
  var verbose: Bool
  var color: ColorPolicy
  var progress: ProgressPolicy
  var logLevel: LogLevel
  var result: ResultOptions

  static let maxPartitions: Int32 = 100_000
}

/// Options that several commands share.
extension OptionSpec {
  static let brokers = OptionSpec(
    name: .brokers, short: "b", placeholder: "<spec>", defaultValue: "embedded",
    help: "Where the log is: 'embedded', 'embedded:<directory>', or a Kafka cluster as 'host:port[,host:port...]'.",
    environment: "ORDERSTREAM_BROKERS", fileKeys: ["brokers", "bootstrap.servers", "metadata.broker.list"],
    completion: .brokers)
  static let topic = OptionSpec(
    name: .topic, short: "t", placeholder: "<name>", defaultValue: "order-events", help: "Topic with the orders.",
    environment: "ORDERSTREAM_TOPIC", fileKeys: ["topic"], completion: .topic)
  static let group = OptionSpec(
    name: .group, short: "g", placeholder: "<name>", help: "Consumer group.",
    environment: "ORDERSTREAM_GROUP", fileKeys: ["group", "group.id"], completion: .group)
  static let instance = OptionSpec(
    name: .instance, placeholder: "<name>", defaultNote: "from the machine and a number",
    help: """
      Stable name of this member of the group, for containers: after a restart on any machine it gets its place back. \
      Only one process of a group may have it.
      """,
    environment: "ORDERSTREAM_INSTANCE", fileKeys: ["instance"])
  static let partitions = OptionSpec(
    name: .partitions, placeholder: "<n>", defaultNote: "6",
    help: "Partitions of a topic that must be created; an existing topic must have as many.")
  static let replicationFactor = OptionSpec(
    name: .replicationFactor, placeholder: "<n>", defaultNote: "the broker's",
    help: "Replicas of a topic that must be created.")
  static let topicConfig = OptionSpec(
    name: .topicConfig, placeholder: "<key>=<value>",
    help: "Set a configuration of the topics that must be created, like retention.ms=86400000.", isRepeatable: true)
  static let property = OptionSpec(
    name: .property, short: "X", placeholder: "<property>=<value>",
    help: """
      Set a librdkafka property. Put secrets in a file (-F): other users can see a command line. '-X list' prints all \
      properties, '-X dump' the values in force and where each is from.
      """,
    isRepeatable: true, hasLongForm: false)
  static let config = OptionSpec(
    name: .config, short: "F", placeholder: "<file>",
    help: """
      Read properties from a file, 'key=value' a line: librdkafka's, and brokers, topic, group, instance, color, \
      progress, log-level.
      """,
    environment: "ORDERSTREAM_CONFIG", completion: .file)
  static let wait = OptionSpec(
    name: .wait, placeholder: "<duration>", defaultNote: "give up within 10 s",
    help: "Keep trying for this long until the broker answers.")
  static let timeout = OptionSpec(
    name: .timeout, placeholder: "<duration>", defaultNote: "no limit",
    help: "Stop the run in order, as a signal would, when it has taken this long (exit 75).")
  static let json = OptionSpec(name: .json, help: "Print one JSON document on stdout.")
  static let quiet = OptionSpec(name: .quiet, short: "q", help: "No notes, progress, charts or log lines on stderr.")
  static let verbose = OptionSpec(name: .verbose, short: "v", help: "Say more: details, and log lines from 'debug' up.")
  static let color = OptionSpec(
    name: .color, placeholder: "<when>", defaultValue: "auto",
    help: "Colour output: auto (on a terminal; NO_COLOR and CLICOLOR_FORCE count), always or never.",
    environment: "ORDERSTREAM_COLOR", fileKeys: ["color"], completion: .choice(ColorPolicy.allCases.map(\.rawValue)))
  static let progress = OptionSpec(
    name: .progress, placeholder: "<how>", defaultValue: "auto",
    help: "Show progress: auto (a line on a terminal, else as plain), plain (a line a second) or none.",
    environment: "ORDERSTREAM_PROGRESS", fileKeys: ["progress"],
    completion: .choice(ProgressPolicy.allCases.map(\.rawValue)))
  static let help = OptionSpec(name: .help, short: "h", help: "Print this page.")
  static let version = OptionSpec(
    name: .version, short: "V", help: "Print the version, with -v what the build is made of.")
  static let execute = OptionSpec(name: .execute, help: "Do it; without it, only say what would be done.")
  static let from = OptionSpec(
    name: .from, placeholder: "<place>", defaultValue: "earliest", help: "Where to begin in each partition.",
    isRepeatable: true, completion: .choice(["earliest", "latest"]))
  static let to = OptionSpec(
    name: .to, placeholder: "<place>", defaultNote: "the end",
    help: "Where to end in each partition, before the record at that place.", isRepeatable: true,
    completion: .choice(["earliest", "latest"]))
  static let offsetsFile = OptionSpec(
    name: .offsetsFile, placeholder: "<file>",
    help: """
      In place of --from: the offsets of this file, as kafka-consumer-groups.sh --reset-offsets writes them with --export.
      """, completion: .file)
  static let outputTopic = OptionSpec(
    name: .outputTopic, placeholder: "<name>", defaultValue: "inventory-events",
    help: "Topic with the inventory events.")

  /// Where the result of a run goes besides stdout, and when it has failed.
  static func results(_ files: ResultFile...) -> [OptionSpec] { [.failIf] + files.map(\.option) }
  static let connection: [OptionSpec] = [.brokers, .property, .config, .wait, .timeout]
  static let presentation: [OptionSpec] = [.json, .quiet, .verbose, .color, .progress, .help, .version]
  static let creation: [OptionSpec] = [.partitions, .replicationFactor, .topicConfig]
}

extension OptionReader {
  /// Properties that have an option of their own, which messages, documents and checks rely on.
  private static let ownOptions = [
    "bootstrap.servers": "--brokers", "metadata.broker.list": "--brokers", "group.id": "--group",
  ]
  private static let logLevelVariable = "ORDERSTREAM_LOG_LEVEL"
  private static let logLevelKeys = ["log-level"]

  /// The variables that stand in for options.
  static var environmentNames: [String] {
    Set(CommandTable.all.flatMap(\.options).compactMap(\.environment)).sorted() + [logLevelVariable]
  }

  func common() throws(CommandError) -> CommonOptions {
    let (properties, origins) = try properties()
    return CommonOptions(
      brokers: try value(.brokers, BrokerSpec.parse), brokersAreDefault: text(.brokers) == nil,
      partitions: try optionalInteger(.partitions, in: 1...CommonOptions.maxPartitions),
      replicationFactor: try optionalInteger(.replicationFactor, in: Int16(1)...Int16.max),
      topicConfig: try pairs(.topicConfig), properties: properties, propertyOrigins: origins,
      configFile: text(.config)?.text,
      wait: try optional(.wait, OptionValue.duration), timeout: try optional(.timeout, OptionValue.someDuration),
      json: flag(.json), quiet: flag(.quiet), verbose: flag(.verbose),
      color: try choice(.color), progress: try choice(.progress),
      logLevel: try logLevel(), result: try ResultOptions(self))
  }

  func bounds() throws(CommandError) -> RunBounds {
    let idleTimeout = try optional(.idleTimeout, OptionValue.duration)
    return RunBounds(
      follow: flag(.follow) || idleTimeout != nil, idleTimeout: idleTimeout,
      maxEvents: try optionalInteger(.maxEvents, in: 0...Int64.max))
  }

  func topic() throws(CommandError) -> String { try value(.topic, OptionValue.name) }

  /// The topic of the inventory events, which is not the source.
  func outputTopic(source: String) throws(CommandError) -> String {
    let output = try value(.outputTopic, OptionValue.name)
    if output == source {
      let option = isGiven(.outputTopic) || !isGiven(.topic) ? "--output-topic" : "--topic"
      throw conflict("option \(option)", "'\(output)' is both the source and the output", "name two topics")
    }
    return output
  }

  /// The places that a repeatable option gives: first the one for all partitions, then those for single ones.
  func places(_ name: OptionName) throws(CommandError) -> [Place] {
    let places = try values(name, PlaceArgument.parse)
    guard Set(places.map(\.partition)).count == places.count else {
      throw conflict(
        "option --\(name.rawValue)", "two places are given for the same partition",
        "give one for all, and others for one partition each like 2=1047")
    }
    return places.filter { $0.partition == nil } + places.filter { $0.partition != nil }
  }

  /// The file that `--offsets-file` names, which stands in for an option of places.
  func offsetsFile(besides other: OptionName) throws(CommandError) -> String? {
    guard let file = try optional(.offsetsFile, OptionValue.path) else { return nil }
    if isGiven(other) {
      throw conflict(
        "option --offsets-file", "--\(other.rawValue) names places too", "leave one of the two out")
    }
    return file
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
        ValueError(why: "'\(raw.text)' is not a log level", remedy: "give one of \(names)"), command: command.name)
    }
    return level
  }

  /// The properties for librdkafka, one entry a key, and where each is from.
  func properties() throws(CommandError) -> ([Property], origins: [String: String]) {
    let ours = Set(CommandTable.anyOption.values.flatMap(\.fileKeys) + Self.logLevelKeys)
    var given = fileLines.filter { !ours.contains($0.key) }.map { line in
      (Property(key: line.key, value: line.value), file([line.key])?.with(line: line.number))
    }
    for raw in flags(.property) where !Self.questions.contains(raw.text) {
      let property: Property
      do { property = try Property.parse(raw.text) } catch { throw raw.error(error, command: command.name) }
      if let option = Self.ownOptions[property.key] {
        throw CommandError(
          .configuration, "property \(property.key)", why: "it has an option of its own", remedy: "use \(option)")
      }
      given.append((property, raw))
    }
    let texts = Dictionary(given.map { ($0.0.key, $0.0.value) }, uniquingKeysWith: { $1 })
    var (order, last, origins) = ([String](), [String: String](), [String: String]())
    for (property, raw) in given {
      let properties: [Property]
      do {
        properties = try JavaProperties.translated(property, among: texts)
      } catch {
        guard let raw else { preconditionFailure("a property is from a flag or a file") }
        throw raw.error(error, command: command.name)
      }
      for property in properties {
        if last[property.key] == nil { order.append(property.key) }
        last[property.key] = property.value
        origins[property.key] = raw?.origin
      }
    }
    return (order.map { Property(key: $0, value: last[$0] ?? "") }, origins)
  }

  /// What `-X` is asked instead of being given a property.
  static let questions: Set<String> = ["list", "dump"]

  /// Pairs of a repeatable option.
  private func pairs(_ name: OptionName) throws(CommandError) -> [Property] {
    var pairs: [Property] = []
    for raw in flags(name) {
      do { pairs.append(try Property.parse(raw.text, as: "\(raw.spelling) key=value")) } catch {
        throw raw.error(error, command: command.name)
      }
    }
    return pairs
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

/// When a consuming run ends.
struct RunBounds: Hashable, Sendable {
  /// Does not end at the end of the topic. `--idle-timeout` implies it.
  var follow: Bool
  /// Ends after this long without a record; `nil`: never for that reason.
  var idleTimeout: Duration?
  /// Ends when exactly this many records are committed; `nil`: no limit. Counts with and without `follow`.
  var maxEvents: Int64?
}

/// Options of commands that read on.
extension OptionSpec {
  static let follow = OptionSpec(
    name: .follow, short: "f",
    help: "Do not end at the end of the topic: run until SIGINT or SIGTERM. Creates a missing topic.")
  static let idleTimeout = OptionSpec(
    name: .idleTimeout, placeholder: "<duration>",
    help: "Like --follow, but end when the ends of all partitions were seen and no record has come for this long.")
  static let maxEvents = OptionSpec(
    name: .maxEvents, short: "n", placeholder: "<n>", defaultNote: "no limit",
    help: "Commit exactly this many records, then end.")
  static let acceptLoss = OptionSpec(
    name: .acceptLoss, help: "Go on without records that retention removed before the group read them.")
}
