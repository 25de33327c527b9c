#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Finds the text of each option (command line, environment, `-F` file, default) and has it converted.
struct OptionReader {
  let command: CommandSpec
  private let raw: RawArguments
  private let environment: Environment
  private var file: PropertyFile?

  /// - Throws: what `PropertyFile` throws.
  init(_ command: CommandSpec, _ raw: RawArguments, environment: @escaping Environment) throws(CommandError) {
    self.command = command
    self.raw = raw
    self.environment = environment
    file = nil
    if let path = text(.config) {
      if path.text.isEmpty {
        throw path.error(ValueError(why: "it is empty", remedy: "name a file of properties"), command: command.name)
      }
      file = try PropertyFile(path: path.text, namedBy: path.origin)
    }
  }

  /// Whether the flag is on the command line.
  func flag(_ name: OptionName) -> Bool { raw.options[name] != nil }

  /// Whether the option is on the command line.
  func isGiven(_ name: OptionName) -> Bool { raw.options[name] != nil }

  /// The text that counts, without the default; `nil` where there is none or the command has no such option. An empty
  /// environment variable counts as unset.
  func text(_ name: OptionName) -> RawValue? {
    guard let spec = command.option(name) else { return nil }
    if let given = raw.options[name]?.last { return given }
    if let variable = spec.environment, let value = environment(variable), !value.isEmpty {
      return RawValue(text: value, source: .environment(variable))
    }
    return spec.fileKeys.isEmpty ? nil : file?.value(spec.fileKeys)
  }

  /// Every time that a repeatable option is given.
  func flags(_ name: OptionName) -> [RawValue] { raw.options[name] ?? [] }

  /// Every value that a repeatable option is given, converted, in the order of the command line.
  func values<Value>(
    _ name: OptionName, _ convert: (String) throws(ValueError) -> Value
  ) throws(CommandError) -> [Value] {
    var values: [Value] = []
    for raw in flags(name) {
      do { values.append(try convert(raw.text)) } catch { throw raw.error(error, command: command.name) }
    }
    return values
  }

  /// The names that a repeatable option gives, each once, in the order of the command line.
  func names(_ name: OptionName) throws(CommandError) -> [String] {
    var names: [String] = []
    for raw in flags(name) {
      let value: String
      do { value = try OptionValue.name(raw.text) } catch { throw raw.error(error, command: command.name) }
      if !names.contains(value) { names.append(value) }
    }
    return names
  }

  /// An environment variable that stands in for no option; empty counts as unset.
  func variable(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }

  /// A key of the file that stands in for no option.
  func file(_ keys: [String]) -> RawValue? { file?.value(keys) }

  var fileLines: [PropertyFile.Line] { file?.lines ?? [] }

  /// The converted value, `nil` where nothing is given.
  func optional<Value>(
    _ name: OptionName, _ convert: (String) throws(ValueError) -> Value
  ) throws(CommandError) -> Value? {
    guard let raw = text(name) else { return nil }
    do { return try convert(raw.text) } catch { throw raw.error(error, command: command.name) }
  }

  /// The converted value or the converted default of the table.
  func value<Value>(
    _ name: OptionName, _ convert: (String) throws(ValueError) -> Value
  ) throws(CommandError) -> Value {
    if let value = try optional(name, convert) { return value }
    guard let spec = command.option(name), let text = spec.defaultValue else {
      preconditionFailure("an option that is always read has a default in the table: \(name.rawValue)")
    }
    let standard = RawValue(text: text, source: .defaultValue(spec.spelling))
    do { return try convert(text) } catch { throw standard.error(error, command: command.name) }
  }

  /// One of the values that the table allows.
  func choice<Value: RawRepresentable<String>>(
    _ name: OptionName, _ type: Value.Type = Value.self
  ) throws(CommandError) -> Value {
    let choices = command.option(name)?.choices ?? []
    func convert(_ text: String) throws(ValueError) -> Value {
      guard choices.contains(text), let value = Value(rawValue: text) else {
        throw ValueError(
          why: "'\(text)' is not one of \(choices.joined(separator: ", "))",
          remedy: Suggestion.nearest(to: text, among: choices).map { "did you mean '\($0)'?" }
            ?? "give \(choices.joined(separator: " or "))")
      }
      return value
    }
    return try value(name, convert)
  }

  func integer<Number: FixedWidthInteger>(
    _ name: OptionName, in range: ClosedRange<Number>
  ) throws(CommandError) -> Number {
    func convert(_ text: String) throws(ValueError) -> Number { try OptionValue.integer(text, in: range) }
    return try value(name, convert)
  }

  func optionalInteger<Number: FixedWidthInteger>(
    _ name: OptionName, in range: ClosedRange<Number>
  ) throws(CommandError) -> Number? {
    func convert(_ text: String) throws(ValueError) -> Number { try OptionValue.integer(text, in: range) }
    return try optional(name, convert)
  }

  /// A usage error about options that do not go together.
  func conflict(_ what: String, _ why: String, _ remedy: String) -> CommandError {
    .usage(what, why: why, remedy: remedy, command: command.name)
  }
}

/// Looks up one environment variable; `nil` when it is unset. A parameter, so that tests bring their own.
typealias Environment = @Sendable (String) -> String?

enum ProcessEnvironment {
  /// The environment of this process.
  static let lookup: Environment = { name in getenv(name).map { String(cString: $0) } }
}

extension Dictionary<String, String> {
  /// This dictionary as an environment.
  var lookup: Environment { { name in self[name] } }
}
