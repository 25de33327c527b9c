import OrderStreamCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A form of a result for others than the one who ran the command: a function of the run's document, in a file.
enum ResultFile: CaseIterable, Hashable, Sendable {
  case page, csv, metrics, junit

  /// The option that names the file.
  var option: OptionSpec {
    switch self {
    case .page:
      OptionSpec(
        name: .report, placeholder: "<file.html>",
        help: "Write the result to this file as a page, as 'orderstream report' makes it later of the document.",
        completion: .file)
    case .csv:
      OptionSpec(
        name: .csv, placeholder: "<file>",
        help: "Write the rows of the result to this file, as comma-separated values with a header line.",
        completion: .file)
    case .metrics:
      OptionSpec(
        name: .metricsFile, placeholder: "<file>",
        help: """
          Write the numbers of the result to this file (<name>.prom), in Prometheus' text format, for the textfile \
          collector of the node exporter. Renewed while a run is followed or watched.
          """, completion: .file)
    case .junit:
      OptionSpec(
        name: .junit, placeholder: "<file>",
        help: """
          Write what the run claims to this file, as JUnit's XML: a test case a claim. From the start of the run to its \
          end the file says that it is not over.
          """, completion: .file)
    }
  }

  /// Whether it is renewed while the run goes on.
  var isLive: Bool { self == .metrics }

  /// Whether it tells of runs that have no result.
  var tellsOfFailure: Bool { self != .csv }

  /// Whether it tells of an error behind a result. A page is the document's alone: `report` makes the same one of it.
  var addsFailure: Bool { tellsOfFailure && self != .page }

  /// - Parameter isLive: Whether the run goes on.
  func append(_ document: Document, isLive: Bool, to buffer: ByteBuffer) {
    switch self {
    case .page: ReportPage.append([document], to: buffer)
    case .csv: TableFile.append(document, to: buffer)
    case .metrics: MetricsFile(document, isLive: isLive).append(to: buffer)
    case .junit: TestCases(document).append(to: buffer)
    }
  }
}

/// The files of one run that have its result, from when their paths are checked to when they are written.
struct ResultFiles: Sendable {
  private let files: [(kind: ResultFile, file: AtomicFile)]
  /// Those that are renewed while the run goes on are written at most this often.
  private static let liveInterval = Duration.seconds(1)
  private var nextLive: Int64 = .min
  /// What the run has told of itself last, one line, and whether it went on then.
  private var last: (document: [UInt8], isLive: Bool)?

  static let none = ResultFiles()

  private init() { files = [] }

  /// Checks that they can be written, and are no two of them the same.
  /// - Parameter others: files that the run reads or writes besides, by option.
  /// - Throws: `usage`, and what `AtomicFile` throws.
  init(_ options: ResultOptions, _ open: (String) throws -> AtomicFile) throws {
    files = try options.files.map { (kind: $0.kind, file: try open($0.path)) }
    var names = Dictionary(
      options.otherFiles.map { (Self.place(of: $0.path), $0.option) }, uniquingKeysWith: { first, _ in first })
    for (kind, file) in files where file.isReplaced {
      let option = kind.option.spelling
      guard let other = names.updateValue(option, forKey: Self.place(of: file.target)) else { continue }
      throw CommandError.usage(
        "option \(option)", why: "\(file.path) is the file of \(other) too", remedy: "name two files",
        command: options.command)
    }
  }

  /// A path by which two names of one file are known to be the same.
  static func place(of path: String) -> String {
    if let whole = resolved(path) { return whole }
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let name = slash.map { path[path.index(after: $0)...] } ?? path[...]
    return "\(resolved(directory) ?? directory)/\(name)"
  }

  private static func resolved(_ path: String) -> String? {
    guard let text = realpath(path, nil) else { return nil }
    defer { free(text) }
    return String(cString: text)
  }

  var isEmpty: Bool { files.isEmpty }

  /// Whether documents are of use while the run goes on.
  var isLive: Bool { files.contains { $0.kind.isLive } }

  /// Takes the document of a run, and writes what is due.
  mutating func keep(_ document: ByteBuffer, isLive: Bool, facts: RunFacts, at now: Int64) throws(CommandError) {
    guard !isEmpty else { return }
    last = (Array(document.bytes), isLive)
    if isLive {
      guard self.isLive, now >= nextLive else { return }
      nextLive = now.saturatingAdd(Self.liveInterval.nanoseconds)
    }
    try write(Self.parse(document, facts: facts), isLive: isLive) { !isLive || $0.isLive }
  }

  /// Says that the run has begun, where a file of an earlier run must not be taken for its result.
  func begin(_ failure: RunFailure) throws(CommandError) {
    for (kind, file) in files where kind == .junit && file.isReplaced {
      try write(failure.document, kind, file, isLive: true)
    }
  }

  /// Writes what no document has told: that the run has ended without one, with an error behind it, or, if it was
  /// followed, that it is over.
  /// - Parameter failure: Why the run did not succeed; `nil` when it did.
  func finish(_ failure: RunFailure?, facts: RunFacts) throws(CommandError) {
    guard !isEmpty else { return }
    guard let last else {
      guard let failure else { return }
      return try write(failure.document, isLive: false) { $0.tellsOfFailure }
    }
    let line = ByteBuffer(capacity: last.document.count)
    last.document.withUnsafeBytes { line.append($0) }
    var document = Self.parse(line, facts: facts)
    if let failure, document["complete"]?.bool != true || TestCases(document).isGreen {
      document = failure.added(to: document)
    } else if !last.isLive {
      return
    }
    try write(document, isLive: false) { last.isLive || $0.addsFailure }
  }

  private func write(
    _ document: Document, isLive: Bool, _ isMeant: (ResultFile) -> Bool
  ) throws(CommandError) {
    for (kind, file) in files where isMeant(kind) { try write(document, kind, file, isLive: isLive) }
  }

  private func write(
    _ document: Document, _ kind: ResultFile, _ file: AtomicFile, isLive: Bool
  ) throws(CommandError) {
    let text = ByteBuffer()
    kind.append(document, isLive: isLive, to: text)
    try file.write(text.bytes)
  }

  /// The document of a line; that of a run that goes on gets what was run, which it leaves out.
  private static func parse(_ line: ByteBuffer, facts: RunFacts) -> Document {
    guard let document = Document(parsing: line.bytes) else { preconditionFailure("a report is a document") }
    return document["run"] == nil ? document.adding("run", facts.value) : document
  }
}

/// Why a run has no result, or is not what its document says: in the place of a document, for the files of a run.
struct RunFailure: Sendable {
  var command: CommandName
  var broker: String
  /// What it worked on, as its documents have it.
  var names: [DocumentValue.Member]
  var elapsedMilliseconds: Int64
  var facts: RunFacts
  var code: ExitCode
  /// One line, as on stderr behind `error: `.
  var message: String

  private var value: DocumentValue {
    .object([.init("code", .integer(Int64(code.rawValue))), .init("message", .text(message))])
  }

  /// The frame of a document, and the error.
  var document: Document {
    Document(
      command: command.rawValue, schemaVersion: 1,
      members: [
        .init("broker", .text(broker)), .init("complete", .bool(false)),
        .init("elapsed_ms", .integer(elapsedMilliseconds)),
      ] + names + [.init("error", value), .init("claims", .list([])), .init("run", facts.value)])
  }

  func added(to document: Document) -> Document { document.adding("error", value) }
}
