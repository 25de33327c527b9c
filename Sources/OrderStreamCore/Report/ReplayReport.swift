/// Whether a replay gave the same report.
public struct ReplayReport: Report {
  public let command: StaticString = "replay"
  public var topic: String
  public var initial: MetricsSummary
  public var replay: MetricsSummary
  public var initialFile: String
  public var replayFile: String
  /// Records that disappeared from the log and explain a difference; empty when none did.
  public var goneRanges: [String]
  public let difference: LineDifference?
  /// Of each partition, by number, what was replayed; `nil` for all of all.
  public var ranges: [Range<Offset>]?
  /// The certificate that was asked for.
  public var certificate: Certified?
  public var completion: Completion { .whole }

  public struct Certified: Sendable {
    /// As the user named it.
    public var file: String
    public var certificate: Certificate

    public init(file: String, _ certificate: Certificate) {
      self.file = file
      self.certificate = certificate
    }
  }

  public init(
    topic: String, initial: MetricsSummary, replay: MetricsSummary, initialFile: String, replayFile: String,
    goneRanges: [String]
  ) {
    self.topic = topic
    self.initial = initial
    self.replay = replay
    self.initialFile = initialFile
    self.replayFile = replayFile
    self.goneRanges = goneRanges
    difference = LineDifference(Self.text(initial), Self.text(replay))
  }

  public var isMatch: Bool { difference == nil && isCertified }

  /// Whether the certificate, if there is one, is of the records that were replayed.
  private var isCertified: Bool { certificate.map { $0.certificate.report == Certificate.digest(of: replay) } ?? true }

  private static let claim = "the replay gives the same bytes"

  public var claims: [Claim] { [Claim(Self.claim, holds: isMatch, detail: difference?.description)] }

  private static func text(_ summary: MetricsSummary) -> String {
    let buffer = ByteBuffer()
    MetricsReport(summary, processed: 0).appendText(to: buffer)
    return String(decoding: buffer.bytes, as: UTF8.self)
  }

  public func appendBody(to text: ReportText) {
    TextRows.append(title: "Replay of \(topic)", to: text)
    if let ranges { TextRows.append(ranges, of: topic, to: text) }
    TextRows.append("Orders, first pass", initial.totalOrders, to: text)
    TextRows.append("Orders, replay", replay.totalOrders, to: text)
    TextRows.append("Reports", "\(initialFile) \(replayFile)", to: text)
    TextRows.append(
      "Result", isMatch ? "match: the two reports are the same bytes" : "MISMATCH", isMatch ? .good : .bad, to: text)
    if let certificate {
      TextRows.append(
        "Certificate",
        isCertified
          ? "\(certificate.file), of \(TextRows.count(certificate.certificate.records, "record"))"
          : "none: other records were there when it was made", isCertified ? nil : .bad, to: text)
    }
    if let difference { TextRows.append("First difference", difference.description, to: text) }
    for range in goneRanges { TextRows.append("Records gone", range, to: text) }
  }

  /// The document of a replay that was cut short: the keys of a replay, with what is there.
  public struct CutShort: Report {
    public let command: StaticString = "replay"
    public var topic: String
    /// `nil` when not even the first pass was done.
    public var initial: MetricsSummary?
    /// In records of the pass that was cut short.
    public var completion: Completion
    public var consequence: String? {
      initial == nil ? "the first pass is not done" : "the second pass is not done, and nothing was compared"
    }

    public init(topic: String, initial: MetricsSummary?, completion: Completion) {
      self.completion = completion
      self.topic = topic
      self.initial = initial
    }

    public var claims: [Claim] { [Claim(ReplayReport.claim, holds: nil, detail: consequence)] }

    public func appendBody(to text: ReportText) {
      TextRows.append(title: "Replay of \(topic)", to: text)
      if let initial { TextRows.append("Orders, first pass", initial.totalOrders, to: text) }
    }

    public func appendMembers(to json: inout JSONWriter) {
      json.member("topic", topic)
      json.key("match")
      json.null()
      json.key("initial")
      if let initial {
        json.beginObject()
        MetricsReport.appendMembers(of: initial, to: &json)
        json.endObject()
      } else {
        json.null()
      }
      for key in ["replay", "first_difference"] {
        json.key(key)
        json.null()
      }
    }
  }

  public func appendMembers(to json: inout JSONWriter) {
    json.member("topic", topic)
    json.member("match", isMatch)
    for (key, summary) in [("initial", initial), ("replay", replay)] {
      json.key(key)
      json.beginObject()
      MetricsReport.appendMembers(of: summary, to: &json)
      json.endObject()
    }
    json.key("first_difference")
    if let difference {
      json.beginObject()
      json.member("line", Int64(difference.line))
      json.member("initial", difference.initial)
      json.member("replay", difference.replay)
      json.endObject()
    } else {
      json.null()
    }
    json.key("records_gone")
    json.beginArray()
    for range in goneRanges { json.string(range) }
    json.endArray()
    if let ranges { json.member("ranges", ranges) }
    json.key("certificate")
    if let certificate, isCertified {
      json.beginObject()
      json.member("file", certificate.file)
      json.member("records", certificate.certificate.records)
      json.endObject()
    } else {
      json.null()
    }
  }
}

/// What `replay` would do to a named group if it were told to. The document has the keys of a replay, all of them null:
/// nothing was computed.
public struct ReplayPlan: Report {
  public let command: StaticString = "replay"
  public var topic: String
  public var group: String
  public var completion: Completion { .whole }

  public init(topic: String, group: String) {
    self.topic = topic
    self.group = group
  }

  private var plan: String {
    "would compute the metrics of group \(group) on \(topic), reset its offsets and state, and compute them again; "
      + "add --execute to do it"
  }

  public func appendBody(to text: ReportText) { text.append(plan + "\n") }

  public func appendMembers(to json: inout JSONWriter) {
    json.member("topic", topic)
    json.member("executed", false)
    json.member("plan", plan)
    for key in ["match", "initial", "replay", "first_difference"] {
      json.key(key)
      json.null()
    }
  }
}

/// The first line in which two reports differ.
public struct LineDifference: Hashable, Sendable, CustomStringConvertible {
  /// 1-based.
  public let line: Int
  /// `nil` where the report has no such line.
  public let initial: String?
  public let replay: String?

  public init?(_ initial: String, _ replay: String) {
    guard initial != replay else { return nil }
    let left = initial.split(separator: "\n", omittingEmptySubsequences: false)
    let right = replay.split(separator: "\n", omittingEmptySubsequences: false)
    let index = (0..<max(left.count, right.count)).first { index in
      index >= left.count || index >= right.count || left[index] != right[index]
    }
    guard let index else { return nil }
    line = index + 1
    self.initial = index < left.count ? String(left[index]) : nil
    self.replay = index < right.count ? String(right[index]) : nil
  }

  public var description: String {
    "line \(line): first \(initial.map { "\"\($0)\"" } ?? "nothing"), "
      + "after the replay \(replay.map { "\"\($0)\"" } ?? "nothing")"
  }
}
