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

  static func parse(_ text: String) throws(ValueError) -> BrokerSpec {
    if text == "embedded" { return .embedded(directory: nil) }
    if text.hasPrefix("embedded:") { return .embedded(directory: try directory(String(text.dropFirst(9)))) }
    // Never repeat what may be a password.
    if text.contains("@") {
      throw ValueError(
        why: "it has an '@'",
        remedy: "give host:port only, and user and password in a file (-F) as sasl.username and sasl.password")
    }
    if let scheme = text.split(separator: ",").first(where: { $0.contains("://") }) {
      throw ValueError(
        why: "'\(scheme)' has a protocol", remedy: "give host:port only, and the protocol with -X security.protocol=..."
      )
    }
    var servers: [Server] = []
    for element in text.split(separator: ",", omittingEmptySubsequences: false) {
      servers.append(try server(String(element), of: text))
    }
    return .kafka(servers)
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
