import OrderStreamCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A `-F` file: `key=value` a line, blank lines, comments that begin with `#` or `!`, lines that end with LF or CR LF.
/// Blanks around key and value are dropped; there are no escapes, and a backslash is a backslash, but for
/// `sasl.jaas.config`, which Java's clients are given over several lines.
/// The last of several lines with one key counts.
///
/// Keys of our own stand in for options (`OptionSpec.fileKeys`, and `log-level`); all others are librdkafka properties.
struct PropertyFile: Sendable {
  static let maxBytes = 1 << 20

  struct Line: Hashable, Sendable {
    let number: Int
    let key: String
    let value: String
  }

  let path: String
  let lines: [Line]

  /// - Throws: `input` when it cannot be read, `configuration` when a line is malformed.
  /// - Parameter origin: who named the file: `option -F`, `ORDERSTREAM_CONFIG`.
  init(path: String, namedBy origin: String) throws(CommandError) {
    let remedy = "give \(origin) a file of properties"
    let content = try FileDescriptor.contents(of: path, limit: Self.maxBytes, remedy: remedy)
    try self.init(path: path, bytes: Array(content.bytes))
  }

  init(path: String, bytes: [UInt8]) throws(CommandError) {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw CommandError(.configuration, path, why: "it is not UTF-8", remedy: "save it as UTF-8")
    }
    self.path = path
    var lines: [Line] = []
    // CR LF is one Character, so lines are split by scalar.
    let rows = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
    var isOpen = false
    for (index, row) in rows.enumerated() {
      var scalars = row
      if scalars.last == "\r" { scalars.removeLast() }
      if index == 0, scalars.first == "\u{feff}" { scalars.removeFirst() }
      let content = Property.trimmed(Substring(scalars))
      if isOpen, let last = lines.popLast() {
        let value = "\(last.value.dropLast()) \(content)"
        lines.append(Line(number: last.number, key: last.key, value: value))
        isOpen = value.hasSuffix("\\")
        continue
      }
      if content.isEmpty || content.hasPrefix("#") || content.hasPrefix("!") { continue }
      guard let equals = content.firstIndex(of: "="), equals != content.startIndex else {
        // The line is not repeated: it may be a secret.
        throw CommandError(
          .configuration, "\(path):\(index + 1)", why: "the line is not key=value",
          remedy: "write key=value, or begin a comment with #")
      }
      lines.append(
        Line(
          number: index + 1, key: Property.trimmed(content[..<equals]),
          value: Property.trimmed(content[content.index(after: equals)...])))
      isOpen = lines.last.map { $0.key == JavaProperties.login && $0.value.hasSuffix("\\") } ?? false
    }
    self.lines = lines
  }

  /// What the file says for an option of ours; a later line wins.
  func value(_ keys: [String]) -> RawValue? {
    lines.last { keys.contains($0.key) }.map {
      RawValue(text: $0.value, source: .file(path: path, line: $0.number, key: $0.key))
    }
  }
}

/// One librdkafka property, from `-X` or a `-F` file.
struct Property: Hashable, Sendable, CustomStringConvertible {
  let key: String
  let value: String

  var isSecret: Bool { SecretProperty.speaksOfSecrets(key) }

  /// For logs and errors: a secret value is not in it.
  var description: String { "\(key)=\(isSecret ? "***" : value)" }

  /// `key=value`, as `-X` takes it. Errors never repeat the text, which may be a secret.
  static func parse(_ text: String, as form: String = "-X property=value") throws(ValueError) -> Property {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { throw ValueError(why: "the '=' is missing", remedy: "write \(form)") }
    let key = trimmed(parts[0])
    guard !key.isEmpty else { throw ValueError(why: "the name before '=' is empty", remedy: "write \(form)") }
    return Property(key: key, value: String(parts[1]))
  }

  static func trimmed(_ text: Substring) -> String {
    let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\u{c}" }
    let start = text.drop(while: isBlank)
    return String(start.reversed().drop(while: isBlank).reversed())
  }
}

/// Properties of Kafka's Java clients and of other programs that are in the same files (`client.properties`, the templates
/// of vendors): what librdkafka calls them.
enum JavaProperties {
  static let login = "sasl.jaas.config"

  /// What says nothing to a program that is not in Java, or to one that uses no schema registry.
  private static let idle: Set<String> = [
    "key.serializer", "value.serializer", "key.deserializer", "value.deserializer", "max.poll.records", "max.block.ms",
    "default.api.timeout.ms", "client.dns.lookup", "ssl.truststore.type", "ssl.truststore.password",
    "basic.auth.credentials.source", "basic.auth.user.info", "avatica.server", "auto.register.schemas",
  ]
  private static let idlePrefixes = ["schema.registry.", "metrics.", "metric.", "confluent.monitoring."]

  /// Names that differ, with values that do not.
  private static let renamed = [
    "fetch.max.wait.ms": "fetch.wait.max.ms", "ssl.truststore.certificates": "ssl.ca.pem",
    "ssl.keystore.certificate.chain": "ssl.certificate.pem", "ssl.keystore.key": "ssl.key.pem",
  ]

  /// The properties of librdkafka that mean the same; the property itself where it is none of Java's.
  /// - Parameter others: the values of all properties that were given.
  static func translated(_ property: Property, among others: [String: String]) throws(ValueError) -> [Property] {
    let (key, value) = (property.key, property.value)
    if idle.contains(key) || idlePrefixes.contains(where: key.hasPrefix) { return [] }
    switch key {
    case login: return try loginProperties(value, mechanism: others["sasl.mechanism"] ?? others["sasl.mechanisms"])
    case "buffer.memory":
      guard let bytes = Int64(value) else { return [property] }
      return [Property(key: "queue.buffering.max.kbytes", value: String(max(1, bytes / 1024)))]
    case "ssl.endpoint.identification.algorithm" where value.isEmpty: return [Property(key: key, value: "none")]
    case "ssl.truststore.location":
      if others["ssl.truststore.type"]?.uppercased() == "PEM" {
        return [Property(key: "ssl.ca.location", value: value)]
      }
      throw ValueError(
        why: "it is a trust store of Java, which librdkafka does not read",
        remedy: "run 'keytool -list -rfc -keystore \(value) > ca.pem' and write ssl.ca.location=ca.pem")
    case "ssl.keystore.location":
      switch others["ssl.keystore.type"]?.uppercased() {
      case "PEM":
        return ["ssl.certificate.location", "ssl.key.location"].map { Property(key: $0, value: value) }
      case "JKS":
        throw ValueError(
          why: "it is a key store of Java, which librdkafka does not read",
          remedy:
            "run 'keytool -importkeystore -srckeystore \(value) -destkeystore key.p12 -deststoretype PKCS12' and write "
            + "ssl.keystore.location=key.p12")
      default: return [property]
      }
    case "ssl.keystore.type": return []
    case "ssl.protocol", "ssl.enabled.protocols":
      if value.contains("TLSv1.2") || value.contains("TLSv1.3") { return [] }
      return [property]
    case "interceptor.classes", "sasl.login.callback.handler.class", "sasl.client.callback.handler.class",
      "partitioner.class", "security.providers":
      throw ValueError(why: "it names a class of Java, which only Java's clients load", remedy: "remove it")
    default:
      guard let name = renamed[key] else { return [property] }
      // Java writes line feeds of PEM as \n.
      return [Property(key: name, value: value.replacing("\\n", with: "\n"))]
    }
  }

  /// `org.apache.kafka.common.security.plain.PlainLoginModule required username="alice" password="…";`
  private static func loginProperties(_ text: String, mechanism: String?) throws(ValueError) -> [Property] {
    let module = text.prefix { $0 != " " && $0 != "\t" }
    func option(_ name: String) -> String? {
      for quote in ["\"", "'"] {
        guard let start = text.firstRange(of: "\(name)=\(quote)") else { continue }
        let rest = text[start.upperBound...]
        return rest.firstIndex(of: Character(quote)).map { String(rest[..<$0]) }
      }
      return nil
    }
    if module.hasSuffix("PlainLoginModule") || module.hasSuffix("ScramLoginModule") {
      guard let user = option("username"), let password = option("password") else {
        throw ValueError(
          why: "it has no username=\"...\" and password=\"...\"",
          remedy: "write sasl.username=... and sasl.password=... in its place")
      }
      var properties = [Property(key: "sasl.username", value: user), Property(key: "sasl.password", value: password)]
      if mechanism == nil, module.hasSuffix("PlainLoginModule") {
        properties.append(Property(key: "sasl.mechanisms", value: "PLAIN"))
      }
      return properties
    }
    if module.hasSuffix("Krb5LoginModule") {
      let pairs = [("sasl.kerberos.keytab", option("keyTab")), ("sasl.kerberos.principal", option("principal"))]
      return pairs.compactMap { pair in pair.1.map { Property(key: pair.0, value: $0) } }
    }
    throw ValueError(
      why: "it is for the login of Java's clients",
      remedy: "write sasl.mechanisms=OAUTHBEARER, sasl.oauthbearer.method=oidc, sasl.oauthbearer.client.id=..., "
        + "sasl.oauthbearer.client.secret=... and sasl.oauthbearer.token.endpoint.url=... in its place")
  }
}
