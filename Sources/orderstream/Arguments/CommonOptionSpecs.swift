/// Options that several commands share.
extension OptionSpec {
  static let brokers = OptionSpec(
    name: .brokers, short: "b", placeholder: "<spec>", defaultValue: "embedded",
    help: "Where the log is: 'embedded', 'embedded:<directory>', or a Kafka cluster as 'host:port[,host:port...]'.",
    environment: "ORDERSTREAM_BROKERS", fileKeys: ["brokers", "bootstrap.servers", "metadata.broker.list"],
    completion: .brokers)
  static let topic = OptionSpec(
    name: .topic, short: "t", placeholder: "<name>", defaultValue: "order-events", help: "Topic with the orders.",
    environment: "ORDERSTREAM_TOPIC", fileKeys: ["topic"])
  static let group = OptionSpec(
    name: .group, short: "g", placeholder: "<name>", help: "Consumer group.",
    environment: "ORDERSTREAM_GROUP", fileKeys: ["group", "group.id"])
  static let instance = OptionSpec(
    name: .instance, placeholder: "<name>", defaultNote: "from the machine and a number",
    help: """
      Stable name of this member of the group, for containers: after a restart on any machine it has its place again. \
      Only one process of a group may have it.
      """,
    environment: "ORDERSTREAM_INSTANCE", fileKeys: ["instance"])
  static let partitions = OptionSpec(
    name: .partitions, placeholder: "<n>", defaultNote: "6",
    help: "Partitions of a topic that must be created; an existing topic must have as many.")
  static let replicationFactor = OptionSpec(
    name: .replicationFactor, placeholder: "<n>", defaultNote: "the broker's",
    help: "Replicas of a topic that must be created.")
  static let property = OptionSpec(
    name: .property, short: "X", placeholder: "<property>=<value>",
    help: "Set a librdkafka property. Put secrets into a file (-F): other users can see a command line.",
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
  static let version = OptionSpec(name: .version, help: "Print the version.")

  static let follow = OptionSpec(
    name: .follow, help: "Do not end at the end of the topic: run until SIGINT or SIGTERM. Creates a missing topic.")
  static let idleTimeout = OptionSpec(
    name: .idleTimeout, placeholder: "<duration>", help: "Like --follow, but end after this long without a record.")
  static let maxEvents = OptionSpec(
    name: .maxEvents, placeholder: "<n>", defaultNote: "no limit", help: "Commit exactly this many records, then end.")
  static let acceptLoss = OptionSpec(
    name: .acceptLoss, help: "Go on without records that retention removed before the group read them.")
  static let execute = OptionSpec(name: .execute, help: "Do it; without it, only say what would be done.")
  static let outputTopic = OptionSpec(
    name: .outputTopic, placeholder: "<name>", defaultValue: "inventory-events",
    help: "Topic with the inventory events.")

  static let connection: [OptionSpec] = [.brokers, .property, .config, .wait]
  static let presentation: [OptionSpec] = [.json, .quiet, .verbose, .color, .progress, .help, .version]
  static let creation: [OptionSpec] = [.partitions, .replicationFactor]

  static func onError(_ choices: [OnError], help: String) -> OptionSpec {
    OptionSpec(
      name: .onError, placeholder: "<what>", defaultValue: choices.first?.rawValue, help: help,
      completion: .choice(choices.map(\.rawValue)))
  }
}
