/// All commands with their options: the one table that the parser, the help pages and the completions read.
enum CommandTable {
  static let all: [CommandSpec] = [
    produce, inventory, analytics, replay, lagDemo, status, tail, audit, delete, help, completions,
  ]

  static func spec(_ name: CommandName) -> CommandSpec {
    guard let spec = all.first(where: { $0.name == name }) else {
      preconditionFailure("every command has its row in the table")
    }
    return spec
  }

  /// One row for every option name, for reading options before the command is known.
  static let anyOption: [OptionName: OptionSpec] = Dictionary(
    all.flatMap(\.options).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })

  private static let produce = CommandSpec(
    name: .produce, summary: "publish OrderPlaced events",
    details: """
      Publishes generated orders, or JSON lines of your own, and waits for every acknowledgement. The same generator \
      options give the same events, byte for byte, on every machine and broker.
      """,
    options: [
      OptionSpec(name: .events, placeholder: "<n>", defaultValue: "10000", help: "How many orders to generate."),
      OptionSpec(
        name: .rate, placeholder: "<rate>", defaultValue: "max",
        help: """
          How fast to send them: '500', '500/s', '0.5/s' or 'max'. A rate is a schedule from the first order on: after a \
          pause (a suspended process, a slow broker) what is overdue is sent at once.
          """, completion: .choice(["max"])),
      OptionSpec(name: .seed, placeholder: "<n>", help: "Seed of the generator."),
      OptionSpec(
        name: .failureRate, placeholder: "<0..1>", defaultValue: "0.05", help: "Share of orders with status 'failed'."),
      OptionSpec(name: .users, placeholder: "<n>", defaultValue: "1000", help: "How many users place them."),
      OptionSpec(
        name: .startTime, placeholder: "<time>", defaultNote: "the wall clock",
        help:
          "Event time of the first order, RFC 3339. Without --span, event time advances by 1/rate (1000/s if unset)."),
      OptionSpec(
        name: .span, placeholder: "<duration>",
        help: "Spread event times evenly over this long, from --start-time, or else ending now."),
      OptionSpec(
        name: .firstOrder, placeholder: "<n>", defaultNote: "one that no finished run has used",
        help: "Number of the first order. Producers that run at the same time need ranges of their own."),
      OptionSpec(
        name: .input, placeholder: "<file|->",
        help: "Publish these JSON lines as they are instead of generating orders ('-': stdin).", completion: .file),
      OptionSpec(
        name: .unacknowledged, placeholder: "<file>",
        help: """
          With --input: write the lines that are not acknowledged to this file, those that were not read too. Publishing \
          it with --input completes the job, nothing twice. Empty after a run that published all.
          """, completion: .file),
      OptionSpec(
        name: .dryRun,
        help: "Print the events, one a line, and open no broker. Order numbers start at 1 or --first-order."),
      .topic,
    ] + OptionSpec.creation + OptionSpec.connection + OptionSpec.presentation,
    examples: [
      .init(
        text: "10 000 orders of one day, the same every time",
        command: "orderstream produce --seed 7 --start-time 2024-01-15T00:00:00Z --span 24h"),
      .init(
        text: "your own orders to a cluster", command: "orderstream produce -b localhost:9092 --input orders.jsonl"),
    ])

  private static let inventory = CommandSpec(
    name: .inventory, summary: "turn orders into inventory events, exactly once",
    details: """
      Consumes orders and emits one InventoryEvent per item. Output, dead letters, state and offsets are committed in \
      one transaction. Ends when the group has reached the end of the topic as it was at the start.
      """,
    options: [
      .outputTopic.saying("Topic to write the inventory events to."),
      .onError(
        [.dlq, .skip, .fail],
        help: "A record that is no order: 'dlq' copies it to <topic>.dlq, 'skip' counts it, 'fail' stops (exit 65)."),
      .follow, .idleTimeout, .maxEvents, .acceptLoss, .topic, .group.defaulting(to: "inventory"), .instance,
    ] + OptionSpec.creation + OptionSpec.connection + OptionSpec.presentation,
    examples: [
      .init(text: "everything that is there now", command: "orderstream inventory"),
      .init(text: "a service on a cluster", command: "orderstream inventory -b localhost:9092 --follow"),
    ])

  private static let analytics = CommandSpec(
    name: .analytics, summary: "compute order metrics, print and save them",
    details: """
      Metrics of all orders that the group has ever processed on this topic. A restart goes on where the group \
      stopped; every member reports the group's totals. The average is over the minutes that have orders. Current is \
      the latest minute that has orders, by event time: an event of the year 2999 is current until a later one comes.
      """,
    options: [
      OptionSpec(
        name: .resetOffsets, help: "Forget the group's state and offsets and compute again from the earliest record."),
      OptionSpec(
        name: .output, placeholder: "<file|->", defaultValue: "metrics_output.txt",
        help: "File for the report, besides stdout ('-': no file).", completion: .file),
      .onError([.skip, .fail], help: "A record that is no order: 'skip' counts it, 'fail' stops (exit 65)."),
      .follow, .idleTimeout, .maxEvents, .acceptLoss, .topic, .group.defaulting(to: "analytics"), .instance,
    ] + OptionSpec.creation + OptionSpec.connection + OptionSpec.presentation,
    examples: [
      .init(text: "the report of everything up to now", command: "orderstream analytics"),
      .init(text: "a live view", command: "orderstream analytics --follow"),
      .init(text: "one number for a script", command: "orderstream analytics --json --output - | jq .total_orders"),
    ])

  private static let replay = CommandSpec(
    name: .replay, summary: "compute metrics twice and compare them to the byte",
    details: """
      Computes the metrics into metrics_initial.txt, resets the group's offsets and state, computes them again into \
      metrics_after_replay.txt, and compares. The group is private and deleted afterwards, unless --group names one.
      """,
    options: [
      OptionSpec(name: .events, placeholder: "<n>", defaultNote: "none", help: "Produce this many orders first."),
      .execute.saying("Really reset the group that --group names; without it, only say what would be done."),
      .topic,
      .group.defaulting(to: nil, note: "a private one").saying(
        "Reset and replay this group, with --execute."
      ).onlyAsFlag,
    ] + OptionSpec.creation + OptionSpec.connection + OptionSpec.presentation,
    examples: [
      .init(text: "produce 10 000 orders and prove it", command: "orderstream replay --events 10000"),
      .init(text: "rewind a group of your own", command: "orderstream replay --group analytics --execute"),
    ])

  private static let lagDemo = CommandSpec(
    name: .lagDemo, summary: "a producer outruns its consumer: lag builds, peaks, drains",
    details: """
      Works on a topic and a group of its own, which it removes afterwards, and samples the lag. Succeeds only if the \
      lag drained and every event was seen exactly once.
      """,
    options: [
      OptionSpec(name: .events, placeholder: "<n>", defaultValue: "1000", help: "How many orders to produce."),
      OptionSpec(
        name: .rate, placeholder: "<rate>", defaultValue: "500/s",
        help: "How fast to produce: '500', '500/s' or 'max'.",
        completion: .choice(["max"])),
      OptionSpec(
        name: .consumerDelay, placeholder: "<duration>", defaultValue: "10ms", help: "What one record costs a consumer."
      ),
      OptionSpec(name: .consumers, placeholder: "<n>", defaultValue: "1", help: "Members of the consumer group."),
      OptionSpec(
        name: .sampleInterval, placeholder: "<duration>", defaultValue: "100ms", help: "Time between two samples."),
      OptionSpec(
        name: .drainTimeout, placeholder: "<duration>", defaultNote: "from the number of events and the delay",
        help: "Give up when the lag has not drained this long after the last event."),
      OptionSpec(name: .keep, help: "Keep the topic and the group."),
    ] + OptionSpec.creation + OptionSpec.connection + OptionSpec.presentation,
    examples: [
      .init(text: "watch it", command: "orderstream lag-demo"),
      .init(text: "three consumers keep up better", command: "orderstream lag-demo --consumers 3 --events 3000"),
    ])

  private static let status = CommandSpec(
    name: .status, summary: "show topics, watermarks, groups, committed offsets and lag",
    details: "Changes nothing. Internal topics are shown with -v only. An unknown group is an empty list.",
    options: [
      .topic.defaulting(to: nil, note: "all").saying("Show this topic only.").onlyAsFlag,
      .group.defaulting(to: nil, note: "all").saying("Show this group only."),
    ] + OptionSpec.connection + OptionSpec.presentation,
    examples: [
      .init(text: "everything", command: "orderstream status"),
      .init(text: "the lag of one group", command: "orderstream status --group analytics --json | jq '.groups[].lag'"),
    ])

  private static let tail = CommandSpec(
    name: .tail, summary: "print the records of a topic, one JSON document a line",
    details: "Uses no group. Ends at the end of the topic as it was at the start, partition by partition.",
    options: [
      OptionSpec(
        name: .from, placeholder: "<place>", defaultValue: "earliest",
        help: "Where to begin in each partition: a place, as 'orderstream help' has them.",
        completion: .choice(["earliest", "latest"])),
      .follow.saying("Do not end at the end of the topic: run until SIGINT or SIGTERM. Waits for a missing topic."),
      .maxEvents.saying("Print this many records, then end."),
      OptionSpec(name: .raw, help: "Print each value as it is, and a line feed."),
      .topic.saying("Topic to print."),
    ] + OptionSpec.creation + OptionSpec.connection
      + [.json.saying("One JSON document a line, which is the default.")] + OptionSpec.presentation.dropFirst(),
    examples: [
      .init(text: "the first order", command: "orderstream tail --max-events 1"),
      .init(text: "values of what comes from now on", command: "orderstream tail --from latest --follow --raw"),
    ])

  private static let audit = CommandSpec(
    name: .audit, summary: "join orders with inventory events and prove exactly-once",
    details: """
      Every item of every valid order must have exactly one inventory event. Counts what is lost, duplicated, phantom, \
      wrong or reordered, with up to 20 coordinates each. Changes nothing. What the group inventory has not committed \
      yet is pending, and the run is not finished (exit 1).
      """,
    options: [
      .outputTopic,
      .acceptLoss.saying("Succeed although orders have gone by retention and cannot be verified."),
      .topic,
      .group.defaulting(to: nil, note: "inventory, where it has committed").saying(
        "Count what this group has not committed yet as pending, which is no reason for exit 1 then."
      ).onlyAsFlag,
      OptionSpec(name: .noGroup, help: "Nothing is pending: every item that is not there is lost."),
    ] + OptionSpec.connection + OptionSpec.presentation,
    examples: [
      .init(text: "after an inventory run", command: "orderstream audit"),
      .init(text: "beside a running one", command: "orderstream audit --group inventory"),
    ])

  private static let delete = CommandSpec(
    name: .delete, summary: "remove topics and groups, or the start of a topic",
    details: """
      Says what would go, in counts, and removes nothing unless --execute is given. A group goes with its offsets and its \
      state. Names come from the command line alone. Nothing goes when a name is unknown (exit 66) or a group active (75). \
      What a topic's removal leaves in other groups is said.
      """,
    options: [
      OptionSpec.topic.defaulting(to: nil).saying("Remove this topic, or with --before its records below a place.")
        .onlyAsFlag.repeatable,
      OptionSpec.group.defaulting(to: nil).saying("Remove this group with its offsets and its state.")
        .onlyAsFlag.repeatable,
      OptionSpec(
        name: .before, placeholder: "<place>",
        help: "Keep the topics; remove the records of each partition below this place, as 'orderstream help' has them."),
      .execute.saying("Really remove; without it, only say what would go."),
    ] + OptionSpec.connection + OptionSpec.presentation,
    examples: [
      .init(text: "what a removal would take along", command: "orderstream delete --topic order-events"),
      .init(
        text: "start from nothing", command: "orderstream delete -t order-events -g analytics -g inventory --execute"),
      .init(
        text: "forget what is older than a week", command: "orderstream delete -t order-events --before -7d --execute"),
    ])

  private static let help = CommandSpec(
    name: .help, summary: "explain orderstream, or one command", details: "Prints the page of a command.",
    positional: .init(placeholder: "[command]", choices: CommandName.allCases.map(\.rawValue), isRequired: false),
    options: [.help, .version],
    examples: [.init(text: "all options of produce", command: "orderstream help produce")])

  private static let completions = CommandSpec(
    name: .completions, summary: "print a completion script for a shell",
    details: "Prints a script that completes commands, options and their values.",
    positional: .init(placeholder: "<bash|zsh|fish>", choices: Shell.allCases.map(\.rawValue), isRequired: true),
    options: [.help, .version],
    examples: [
      .init(text: "bash, in ~/.bashrc", command: "source <(orderstream completions bash)"),
      .init(text: "zsh, in a directory of $fpath", command: "orderstream completions zsh > ~/.zfunc/_orderstream"),
      .init(
        text: "fish", command: "orderstream completions fish > ~/.config/fish/completions/orderstream.fish"),
    ])
}
