import OrderStreamCore

/// `--offsets-file`, and the undo file of a move: offsets of a topic's partitions as `kafka-consumer-groups.sh
/// --reset-offsets` writes them (`--export`) and reads them (`--from-file`). CSV without a header, a partition a line:
/// `topic,partition,offset` of one group, or `group,topic,partition,offset` of several.
struct OffsetsFile {
  /// More lines than any topic has partitions.
  private static let maxBytes = 16 << 20
  private static let remedy = "name a file of lines topic,partition,offset or group,topic,partition,offset"

  /// As the user named it; `-` for stdin.
  let path: String
  /// By partition, in the order of the file; never empty.
  private(set) var offsets: [PartitionOffset] = []
  /// Lines that are not of the topic, and those of other groups.
  private(set) var skipped = (topics: 0, groups: 0)

  /// Reads a file.
  /// - Parameters:
  ///   - topic: Lines of other topics are left out.
  ///   - group: In a file of several groups, whose lines count; `nil`: there may be only one.
  /// - Throws: `input` for a file that cannot be read; `data` for a line that is not understood, and where there is none.
  init(_ path: String, topic: String, group: String? = nil) throws(CommandError) {
    let text = try FileDescriptor.contents(of: path, limit: Self.maxBytes, remedy: Self.remedy)
    try self.init(path, parsing: text.bytes, topic: topic, group: group)
  }

  init(
    _ path: String, parsing bytes: UnsafeRawBufferPointer, topic: String, group: String? = nil
  ) throws(CommandError) {
    self.path = path
    var columns: Int?
    var groups: [String] = []
    var seen: Set<Int32> = []
    for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      var text = String(decoding: line, as: UTF8.self)[...]
      if index == 0, text.first == "\u{FEFF}" { text = text.dropFirst() }
      if text.last == "\r" { text = text.dropLast() }
      var fields = text.split(separator: ",", omittingEmptySubsequences: false).map(Self.unquoted)
      if fields == [""] { continue }
      func bad(_ why: String) -> CommandError {
        CommandError(.data, "cannot read line \(index + 1) of \(path)", why: why, remedy: Self.remedy)
      }
      guard fields.count == 3 || fields.count == 4 else { throw bad("it has \(TextRows.count(fields.count, "field"))") }
      if let columns, columns != fields.count {
        throw bad("it has \(TextRows.count(fields.count, "field")), and those before it have \(columns)")
      }
      columns = fields.count
      let owner = fields.count == 4 ? fields.removeFirst() : nil
      guard let partition = Int32(fields[1]), partition >= 0 else { throw bad("'\(fields[1])' is no partition") }
      guard let offset = Offset(fields[2]), offset >= 0 else { throw bad("'\(fields[2])' is no offset") }
      guard fields[0] == topic else {
        skipped.topics += 1
        continue
      }
      if let owner {
        if let group, owner != group {
          skipped.groups += 1
          continue
        }
        if !groups.contains(owner) { groups.append(owner) }
        if groups.count > 1 {
          throw CommandError(
            .data, "cannot read \(path)", why: "it has offsets of \(topic) of the groups \(groups[0]) and \(groups[1])",
            remedy: "leave the lines of one of them")
        }
      }
      guard seen.insert(partition).inserted else { throw bad("\(topic)[\(partition)] is named twice") }
      offsets.append(PartitionOffset(partition: partition, offset: offset))
    }
    guard offsets.isEmpty else { return }
    let whose = group.map { " of the group \($0)" } ?? ""
    throw CommandError(
      .data, "cannot read \(path)", why: "it has no offset of \(topic)\(skipped.groups > 0 ? whose : "")",
      remedy: Self.remedy)
  }

  /// A field without blanks around it, and without the quotes that CSV allows.
  private static func unquoted(_ field: Substring) -> String {
    let text = Property.trimmed(field)
    guard text.count >= 2, text.first == "\"", text.last == "\"" else { return text }
    return String(text.dropFirst().dropLast())
  }

  /// The offsets as places in single partitions. Says how many lines were left out.
  func places(_ console: Console) -> [Place] {
    func note(_ count: Int, _ what: String) {
      guard count > 0 else { return }
      console.note("\(path) has \(count) \(count == 1 ? "line" : "lines") of other \(what), which are left out")
    }
    note(skipped.topics, "topics")
    note(skipped.groups, "groups")
    return offsets.map { Place(.offset($0.offset), partition: $0.partition) }
  }

  /// The text of a file of one group.
  static func text(topic: String, _ offsets: [PartitionOffset]) -> String {
    offsets.map { "\(topic),\($0.partition),\($0.offset)\n" }.joined()
  }
}
