import OrderStreamCore

/// `report`: one page of the documents that other runs have left. Opens no broker.
struct ReportCommand {
  let options: ReportOptions
  let console: Console

  func run() throws -> ExitCode {
    let file = options.output == "-" ? nil : try AtomicFile(options.output)
    if let file, file.isReplaced,
      let input = options.documents.first(where: {
        $0 != "-" && ResultFiles.place(of: $0) == ResultFiles.place(of: file.target)
      })
    {
      throw CommandError.usage(
        "option --output", why: "\(input) has documents, and the page would replace them", remedy: "name another file",
        command: .report)
    }
    var documents: [Document] = []
    for path in options.documents { documents += try DocumentFile(path).documents }
    let page = ByteBuffer()
    ReportPage.append(documents, to: page)
    guard let file else {
      try console.write(page)
      return .success
    }
    try file.write(page.bytes)
    let runs = documents.count == 1 ? "1 run" : "\(documents.count) runs"
    console.note("\(file.path) has the page of \(runs)")
    return .success
  }
}

/// A file of documents: one, or one a line, as a job appends them, or a list of them.
struct DocumentFile {
  /// In the order of the file; of a run that was followed the last one alone.
  let documents: [Document]

  private static let largest = 1 << 30
  private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

  /// - Parameter path: `-` for stdin.
  /// - Throws: `input` when it cannot be read, `data` when something in it is no document.
  init(_ path: String) throws(CommandError) {
    let name = path == "-" ? "stdin" : path
    let buffer = try FileDescriptor.contents(
      of: path, limit: Self.largest, remedy: "name a file of documents, or - for stdin")
    var bytes = buffer.bytes
    if bytes.starts(with: Self.byteOrderMark) { bytes = .init(rebasing: bytes[Self.byteOrderMark.count...]) }
    documents = Self.last(of: try Self.all(bytes, name))
  }

  private static func all(_ bytes: UnsafeRawBufferPointer, _ name: String) throws(CommandError) -> [Document] {
    // Also one that has been made readable, over several lines.
    if let root = DocumentValue(parsing: bytes) {
      var documents: [Document] = []
      for value in root.elements.isEmpty ? [root] : root.elements { documents.append(try document(value, name)) }
      return documents
    }
    var documents: [Document] = []
    for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      let line = UnsafeRawBufferPointer(rebasing: line)
      if line.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) { continue }
      guard let root = DocumentValue(parsing: line) else {
        throw CommandError(
          .data, "cannot read \(name):\(index + 1)", why: "it is not JSON", remedy: Self.remedy)
      }
      documents.append(try document(root, "\(name):\(index + 1)"))
    }
    if documents.isEmpty { throw CommandError(.data, "cannot read \(name)", why: "it is empty", remedy: Self.remedy) }
    return documents
  }

  private static let remedy = "give documents as commands print them with --json"

  private static func document(_ root: DocumentValue, _ place: String) throws(CommandError) -> Document {
    func refusal(_ why: String, _ remedy: String) -> CommandError {
      CommandError(.data, "cannot read \(place)", why: why, remedy: remedy)
    }
    guard let document = Document(root) else {
      throw refusal("it is JSON, but no document of a run (it has no \"schema\" of this program)", remedy)
    }
    if document.command == "certificate" {
      throw refusal("it is a certificate, which says nothing of a run", "check it with replay --verify \(place)")
    }
    guard document.schemaVersion <= Document.newestVersion(of: document.command) else {
      throw refusal(
        "its schema, orderstream.\(document.command)/\(document.schemaVersion), is not known to this version",
        "use the orderstream that has made it, or a newer one")
    }
    return document
  }

  /// Without the documents of a run that went on after them, as `--follow` and `--watch` print them. Those of other runs
  /// may stand between them.
  static func last(of documents: [Document]) -> [Document] {
    // From the end on, the document of a run that comes next.
    var next: [Run: Document] = [:]
    let kept = documents.reversed().filter { document in
      let run = Run(document)
      defer { next[run] = document }
      guard document.isOfOngoingRun, let later = next[run] else { return true }
      func elapsed(_ document: Document) -> Double { document["elapsed_ms"]?.number ?? 0 }
      return elapsed(later) < elapsed(document)
    }
    return kept.reversed()
  }

  /// What the documents of one run have in common.
  private struct Run: Hashable {
    let command: String
    let names: [String?]

    init(_ document: Document) {
      command = document.command
      names = ["broker", "topic", "group", "output_topic"].map { document[$0]?.text }
    }
  }
}

extension Document {
  /// Whether the run went on after it. Documents of 0.1.0 say only that it was not complete.
  fileprivate var isOfOngoingRun: Bool {
    self["claims"] == nil && (self["complete"]?.bool == false || command == CommandName.status.rawValue)
  }
}

/// `orderstream report`, checked.
struct ReportOptions: Hashable, Sendable {
  /// Paths; `-` is stdin.
  var documents: [String]
  /// The page; `-` is stdout.
  var output: String
  var quiet: Bool

  init(_ reader: OptionReader, documents: [String]) throws(CommandError) {
    if documents.isEmpty {
      throw reader.conflict(
        "report", "no document is named", "name files that have what a command printed with --json, or - for stdin")
    }
    if documents.count(where: { $0 == "-" }) > 1 {
      throw reader.conflict("argument '-'", "stdin can be read once", "name it once")
    }
    if documents.contains("") { throw reader.conflict("argument ''", "the path is empty", "name a file") }
    self.documents = documents
    output = try reader.value(.output, OptionValue.path)
    quiet = reader.flag(.quiet)
  }
}

extension CommandSpec {
  static let report = CommandSpec(
    name: .report, summary: "make one page of the documents of runs",
    details: """
      Makes one self-contained page of HTML of what commands have printed with --json: verdict, claims, charts, and what \
      was run. A file has one document, or one a line as a CI job appends them; of a run with --follow or --watch the last \
      one counts. The same documents give the same bytes, those of --report.
      """,
    positional: .init(
      placeholder: "<document.json|->...", completion: .file, isRequired: true, isRepeatable: true),
    options: [
      OptionSpec(
        name: .output, short: "o", placeholder: "<file|->", defaultValue: "report.html",
        help: "File for the page ('-': stdout).", completion: .file),
      .quiet.saying("Do not say where the page is."), .help, .version,
    ],
    examples: [
      .init(text: "the page of an audit", command: "orderstream report audit.json"),
      .init(text: "a whole CI run on one page", command: "orderstream report runs/a.json runs/b.json -o ci.html"),
      .init(text: "of what another command prints", command: "orderstream audit --json | orderstream report -"),
    ])
}
