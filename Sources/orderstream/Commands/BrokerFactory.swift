import OrderStreamCore
import OrderStreamEmbedded
import OrderStreamKafka

/// What a command wants of the log.
enum BrokerUse: Sendable {
  /// Reads it: one that cannot be written will do.
  case read
  /// Reads and writes what is there, but creates no log.
  case write
  /// Creates one where there is none.
  case create
}

/// The only place that knows which back ends there are.
enum BrokerFactory {
  /// Whether this stands for an embedded log that was not there when it was opened.
  static func isAbsent(_ broker: any Broker) -> Bool { broker is AbsentLog }

  /// The embedded log that a broker is; `nil` for another one, and for one that is not there.
  static func embedded(_ broker: any Broker) -> EmbeddedBroker? { broker as? EmbeddedBroker }

  /// A file for a result, checked before any work.
  /// - Throws: `creation` when it cannot be written, or when it is one of a log's own files.
  static func outputFile(_ path: String, _ brokers: BrokerSpec) throws -> AtomicFile {
    let file = try AtomicFile(path)
    try refuseLogFile(path, target: file.target, brokers)
    return file
  }

  /// The file of a receipt, checked before any work.
  /// - Throws: as `outputFile`, and what `ReceiptFile` throws.
  static func receiptFile(_ path: String, _ brokers: BrokerSpec) throws -> ReceiptFile {
    try refuseLogFile(path, target: ResultFiles.place(of: path), brokers)
    return try ReceiptFile(path)
  }

  /// - Parameter target: with symbolic links followed.
  private static func refuseLogFile(_ path: String, target: String, _ brokers: BrokerSpec) throws(CommandError) {
    var directory: String?
    if case .embedded(let named) = brokers {
      directory = named
      if named == nil { directory = try BrokerSpec.defaultDirectory(ProcessEnvironment.lookup) }
    }
    guard LogNames.contain(target, logIn: directory) else { return }
    throw CommandError(
      .creation, "cannot create \(path)", why: "it would replace a file of an embedded log",
      remedy: "choose another name or directory")
  }

  /// - Parameters:
  ///   - brokers: where the log is; `nil` for what `--brokers` says.
  ///   - outages: how long brokers of a cluster that stop answering are waited for.
  static func open(
    _ context: CommandContext, _ brokers: BrokerSpec? = nil, to use: BrokerUse, outages: OutageLimit
  ) throws -> any Broker {
    let properties = context.options.properties.map { ($0.key, $0.value) }
    // Before anything is reached; they have no effect on the embedded log, but a wrong one is wrong on every broker.
    try check(context.options)
    switch brokers ?? context.options.brokers {
    case .embedded(let named):
      if !properties.isEmpty { context.console.note("properties of librdkafka have no effect on the embedded log") }
      if !context.options.topicConfig.isEmpty {
        context.console.note("--topic-config has no effect on the embedded log, whose topics keep everything")
      }
      let directory: String
      if let named { directory = named } else { directory = try BrokerSpec.defaultDirectory(ProcessEnvironment.lookup) }
      if use != .create, let absent = AbsentLog(directory: directory) { return absent }
      return try EmbeddedBroker.open(
        directory: directory, onlyLooks: use == .read, log: context.log, time: context.time)
    case .kafka(let servers):
      return try KafkaBroker.connect(
        brokers: servers.map(\.description).joined(separator: ","),
        properties: properties, wait: context.options.wait, outages: outages, stop: context.stop, log: context.log,
        time: context.time)
    }
  }
}

extension BrokerFactory {
  /// Whether librdkafka takes the properties of a run.
  /// - Throws: `configuration`, naming the file and the line, or the option, and the property that was meant.
  static func check(_ options: CommonOptions) throws {
    let pairs = options.properties.map { ($0.key, $0.value) }
    do throws(BrokerError) {
      try KafkaBroker.check(properties: pairs)
    } catch {
      for (key, _) in pairs {
        do throws(BrokerError) {
          try KafkaBroker.check(properties: pairs, only: key)
        } catch {
          var wrong = CommandError(error)
          let origin = options.propertyOrigins[key] ?? ""
          if !origin.hasPrefix("option ") { wrong.what = origin }
          let names = PropertyCatalog.entries().map(\.name)
          if !names.contains(key) {
            let ours = Set(CommandTable.anyOption.values.flatMap(\.fileKeys))
            let known = origin.hasPrefix("option ") ? names : names + ours
            wrong.remedy =
              Suggestion.nearest(to: key, among: known).map { "did you mean \($0)?" }
              ?? "'orderstream -X list' has all that there are"
          } else if wrong.remedy.isEmpty || wrong.remedy.hasPrefix("see ") {
            wrong.remedy = "'orderstream -X list' says what \(key) takes"
          }
          throw wrong
        }
      }
      throw error
    }
  }
}

extension BrokerSpec {
  /// As `Broker.name`, without opening it.
  var documentName: String {
    guard case .embedded(nil) = self, let directory = try? Self.defaultDirectory(ProcessEnvironment.lookup) else {
      return description
    }
    return Self.embedded(directory: directory).description
  }
}

extension CommandContext {
  /// Opens the broker that `--brokers` names; on a terminal, says which one and how to choose another.
  /// - Parameter outages: how long brokers that stop answering are waited for.
  func openBroker(to use: BrokerUse = .create, outages: OutageLimit = .run) throws -> any Broker {
    showWaiting()
    defer { console.display.show(line: nil) }
    let broker = try BrokerFactory.open(self, to: use, outages: outages)
    if console.errorIsTerminal && options.brokersAreDefault {
      console.note("using broker \(broker.name) (a Kafka cluster: --brokers host:port)")
    }
    return broker
  }

  /// Says from the first second on how long a cluster has been waited for.
  private func showWaiting() {
    guard case .kafka = options.brokers else { return }
    let (start, time, brokers) = (time.monotonicNanoseconds, time, options.brokers.description)
    let limit = options.wait ?? KafkaBroker.connectLimit
    console.display.show(line: { screen in
      let passed = (time.monotonicNanoseconds - start) / 1_000_000_000
      let dots = screen?.isUnicode == true ? "…" : "..."
      return "waiting for \(brokers) \(dots) \(passed) of \(limit.milliseconds / 1000) s"
    })
  }

  /// The file of `--receipt`; `nil` without that option.
  func receiptFile(_ path: String?) throws -> ReceiptFile? {
    try path.map { try BrokerFactory.receiptFile($0, options.brokers) }
  }

  /// A file for a result; `nil` for `-`, which means no file.
  func outputFile(_ path: String) throws -> AtomicFile? {
    path == "-" ? nil : try BrokerFactory.outputFile(path, options.brokers)
  }
}

/// `--brokers`: where the log is.
enum BrokerSpec: Hashable, Sendable, CustomStringConvertible {
  /// The embedded log in a directory; `nil` for the default one.
  case embedded(directory: String?)
  /// A Kafka cluster; never empty.
  case kafka([Server])

  /// One `host:port`; an IPv6 address is kept without its brackets.
  struct Server: Hashable, Sendable, CustomStringConvertible {
    let host: String
    let port: UInt16

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
  }

  /// As the user would write it; a list of servers is what librdkafka's `bootstrap.servers` takes.
  var description: String {
    switch self {
    case .embedded(nil): "embedded"
    case .embedded(let directory?): "embedded:\(directory)"
    case .kafka(let servers): servers.map(\.description).joined(separator: ",")
    }
  }

  static func parse(_ given: String) throws(ValueError) -> BrokerSpec {
    let text = Property.trimmed(given[...])
    if text == "embedded" { return .embedded(directory: nil) }
    if text.hasPrefix("embedded:") { return .embedded(directory: try directory(String(text.dropFirst(9)))) }
    try refusePath(text)
    // Never repeat what may be a password.
    if text.contains("@") {
      throw ValueError(
        why: "it has an '@'",
        remedy: "give host:port only, and user and password in a file (-F) as sasl.username and sasl.password")
    }
    try refuseProtocol(text)
    var servers: [Server] = []
    for element in text.split(separator: ",", omittingEmptySubsequences: false) {
      servers.append(try server(Property.trimmed(element), of: text))
    }
    return .kafka(servers)
  }

  /// A directory, or a misspelt `embedded:`, is no list of hosts.
  private static func refusePath(_ text: String) throws(ValueError) {
    if text.hasPrefix("file:/") {
      let path = text.dropFirst(5)
      throw ValueError(
        why: "'\(text)' is not a broker",
        remedy: "write embedded:\(path.hasPrefix("//") ? path.dropFirst(2) : path)")
    }
    if text == "~" || text.hasPrefix("~/") {
      throw ValueError(why: "'\(text)' is a path", remedy: "write embedded:$HOME\(text.dropFirst())")
    }
    if text.hasPrefix("/") || text.hasPrefix("./") || text.hasPrefix("../") || text == "." || text == ".." {
      throw ValueError(why: "'\(text)' is a path", remedy: "write embedded:\(text)")
    }
    guard let colon = text.firstIndex(of: ":") else { return }
    let (name, rest) = (String(text[..<colon]), text[text.index(after: colon)...])
    // A host may have such a name; its port is a number.
    guard Int(rest) == nil, !rest.hasPrefix("//"), Suggestion.nearest(to: name, among: ["embedded"]) != nil else {
      return
    }
    throw ValueError(why: "'\(text)' is not a broker", remedy: "did you mean embedded:\(rest)?")
  }

  private static func refuseProtocol(_ text: String) throws(ValueError) {
    let elements = text.split(separator: ",").map { Property.trimmed($0) }
    guard let first = elements.first(where: { $0.contains("://") }) else { return }
    let bare = elements.map { element in
      element.firstRange(of: "://").map { String(element[$0.upperBound...]) } ?? element
    }.joined(separator: ",")
    let scheme = first.firstRange(of: "://").map { String(first[..<$0.lowerBound]) } ?? ""
    let security = scheme.lowercased()
    let known = ["ssl", "sasl_ssl", "sasl_plaintext"].contains(security)
    throw ValueError(
      why: "'\(first)' has a protocol",
      remedy: "write \(bare)\(known ? " and add -X security.protocol=\(security)" : "")")
  }

  /// Where the embedded log is when no directory is given: `${XDG_DATA_HOME:-~/.local/share}/orderstream`. A relative
  /// `XDG_DATA_HOME` counts as unset, as its specification says.
  static func defaultDirectory(_ environment: Environment) throws(CommandError) -> String {
    if let data = environment("XDG_DATA_HOME"), data.hasPrefix("/") { return "\(data)/orderstream" }
    if let home = environment("HOME"), !home.isEmpty { return "\(home)/.local/share/orderstream" }
    throw CommandError(
      .configuration, "cannot find a place for the embedded log", why: "neither HOME nor XDG_DATA_HOME is set",
      remedy: "name one with --brokers embedded:<directory>")
  }

  private static func directory(_ text: String) throws(ValueError) -> String {
    if text.isEmpty {
      throw ValueError(
        why: "the directory is empty", remedy: "write embedded:<directory>, or embedded for the default one")
    }
    if text == "~" || text.hasPrefix("~/") {
      throw ValueError(
        why: "the shell does not expand '~' after a colon", remedy: "write embedded:$HOME\(text.dropFirst())")
    }
    if text.utf8.contains(0) { throw ValueError(why: "the directory has a NUL", remedy: "name a directory") }
    return text
  }

  private static func server(_ text: String, of list: String) throws(ValueError) -> Server {
    let example = "write host:port[,host:port...], like localhost:9092"
    if text.isEmpty {
      throw ValueError(why: list.isEmpty ? "it is empty" : "'\(list)' has an empty element", remedy: example)
    }
    let host: Substring
    let rest: Substring
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else {
        throw ValueError(why: "'\(text)' has no ']'", remedy: "write it like [::1]:9092")
      }
      host = text[text.index(after: text.startIndex)..<end]
      rest = text[text.index(after: end)...]
      guard host.contains(":"), host.unicodeScalars.allSatisfy(isAddress) else {
        throw ValueError(why: "'\(text)' has no IPv6 address in its brackets", remedy: "write it like [::1]:9092")
      }
    } else {
      let colon = text.firstIndex(of: ":") ?? text.endIndex
      host = text[..<colon]
      rest = text[colon...]
      if rest.dropFirst().contains(":") {
        throw ValueError(
          why: "'\(text)' has several colons", remedy: "put an IPv6 address in brackets, like [::1]:9092")
      }
      if rest.isEmpty { throw withoutPort(text, isAlone: text == list) }
      guard !host.isEmpty, host.unicodeScalars.allSatisfy(isHost) else {
        throw ValueError(why: "'\(text)' has no valid host name", remedy: example)
      }
    }
    guard rest.first == ":" else { throw withoutPort(text, isAlone: false) }
    guard let port = try? OptionValue.integer(String(rest.dropFirst()), in: UInt16(1)...UInt16.max) else {
      throw ValueError(
        why: "'\(text)' has no valid port",
        remedy: "give a port from 1 to 65535, like \(text.prefix(while: { $0 != ":" })):9092")
    }
    return Server(host: String(host), port: port)
  }

  private static func withoutPort(_ text: String, isAlone: Bool) -> ValueError {
    if isAlone, Suggestion.nearest(to: text, among: ["embedded"]) != nil {
      return ValueError(why: "'\(text)' is not a broker", remedy: "did you mean 'embedded'?")
    }
    return ValueError(why: "'\(text)' has no port", remedy: "write \(text):9092, or 'embedded' for the local log")
  }

  private static func isHost(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", ".", "_", "-": true
    default: false
    }
  }

  private static func isAddress(_ scalar: Unicode.Scalar) -> Bool { isHost(scalar) || scalar == ":" || scalar == "%" }
}
