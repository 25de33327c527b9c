import CRdKafka
import OrderStreamCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The properties that the librdkafka of this process knows, for lists and for guessing what was meant.
public enum PropertyCatalog {
  public struct Entry: Hashable, Sendable {
    public var name: String
    /// As librdkafka writes it; empty for none.
    public var defaultValue: String
    /// In a sentence or two, without marks of layout.
    public var meaning: String
    /// The name of which this one is another.
    public var aliasOf: String?
    /// Whose it is: `C` for consumers, `P` for producers, `*` for both.
    public var scope: String
    /// Why users may not set it, and the values that they may write because they hold anyway; `nil` for a free one.
    public var rule: PropertyRules.Rule?
  }

  /// One property of one kind of client, as orderstream uses it.
  public struct Setting: Hashable, Sendable {
    public enum Origin: Hashable, Sendable { case librdkafka, orderstream, user }
    public var name: String
    /// What it was called where it was set, which may be an alias.
    public var givenName: String
    public var value: String
    public var origin: Origin
  }

  /// librdkafka's version, `2.0.2`.
  public static var version: String { String(cString: rd_kafka_version_str()) }

  /// Sorted by name. Callbacks, which only programs can set, are not in it.
  public static func entries() -> [Entry] {
    var found: [String: Entry] = [:]
    for line in table().split(separator: "\n") {
      let columns = line.split(separator: "|", maxSplits: 5, omittingEmptySubsequences: false).map(trimmed)
      guard columns.count == 6, columns[0] != "Property", !columns[0].hasPrefix("-"), !columns[0].contains(" "),
        !columns[5].contains("see dedicated API"), columns[0] != "builtin.features"
      else { continue }
      let (name, text) = (columns[0], meaning(columns[5]))
      // Some are settings of clients and of topics.
      guard found[name] == nil else { continue }
      let alias = text.hasPrefix("Alias for ") ? text.split(separator: ":").first?.dropFirst("Alias for ".count) : nil
      found[name] = Entry(
        name: name, defaultValue: columns[3], meaning: text, aliasOf: alias.map(String.init), scope: columns[1],
        rule: PropertyRules.rules[name])
    }
    return found.values.sorted { $0.name < $1.name }
  }

  /// What the clients of a run use, by the name of the client, each sorted by name.
  public static func settings(properties: [(key: String, value: String)]) throws(BrokerError) -> [(String, [Setting])] {
    let own = try PropertyRules.effective(properties)
    let entries = entries()
    let aliases = Dictionary(
      entries.compactMap { entry in entry.aliasOf.map { (entry.name, $0) } }, uniquingKeysWith: { first, _ in first })
    return [
      ("producer", ClientProfile.producer(.bulk)), ("transactional producer", .transactional(id: "<the member's>")),
      ("consumer", .consumer(group: "<the group's>", instance: "<the member's>")),
    ].map { name, profile in
      var settings: [String: Setting] = [:]
      let other = profile.type == RD_KAFKA_PRODUCER ? "C" : "P"
      let foreign = Set(entries.filter { $0.scope == other }.map(\.name))
      for entry in entries where entry.aliasOf == nil && !foreign.contains(entry.name) {
        settings[entry.name] = Setting(
          name: entry.name, givenName: entry.name, value: entry.defaultValue, origin: .librdkafka)
      }
      func set(_ pairs: ClientProfile.Settings, _ origin: Setting.Origin) {
        for (key, value) in pairs {
          let name = aliases[key] ?? key
          if foreign.contains(name) { continue }
          settings[name] = Setting(name: name, givenName: key, value: value, origin: origin)
        }
      }
      set(profile.defaults + [("client.id", "orderstream")], .orderstream)
      set(own.filter { !profile.ignores($0.key) }, .user)
      set(profile.promises, .orderstream)
      settings["metadata.broker.list"] = nil
      return (name, settings.values.sorted { $0.name < $1.name })
    }
  }

  /// The table that librdkafka prints.
  private static func table() -> String {
    var text: UnsafeMutablePointer<CChar>?
    var size = 0
    guard let stream = open_memstream(&text, &size) else { return "" }
    rd_kafka_conf_properties_show(stream)
    fclose(stream)
    guard let text else { return "" }
    defer { free(text) }
    return String(cString: text)
  }

  private static func trimmed(_ text: Substring) -> String {
    let start = text.drop { $0 == " " }
    return String(start.reversed().drop { $0 == " " }.reversed())
  }

  /// Without the type at its end, marks of code and links.
  private static func meaning(_ text: String) -> String {
    let body = text.firstRange(of: "<br>*Type:").map { String(text[..<$0.lowerBound]) } ?? text
    return trimmed(body.replacing("<br>", with: " ").filter { $0 != "`" && $0 != "*" }[...])
  }
}
