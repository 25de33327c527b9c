import OrderStreamCore

/// `replay --verify`: whether a topic holds what a certificate says of it. Changes nothing.
struct CertificateCheck {
  /// The largest certificate: of some hundred million records.
  private static let maxBytes = 16 << 20

  let options: ReplayOptions
  let check: ReplayOptions.Check
  let context: CommandContext

  func run() throws -> ExitCode {
    let certificate = try read()
    let topic = options.topicIsGiven ? options.topic : certificate.topic
    let broker = try context.openBroker(to: .read, outages: .look)
    let admin = try broker.admin()
    defer { admin.close() }
    _ = try SourceTopic(topic, follow: false, context: context, admin: admin)
    let ranges = try admin.watermarks(topic: topic).map { $0.low..<$0.high }
    let start = context.time.monotonicNanoseconds
    let pass = CertificatePass(topic: topic, expected: certificate)
    let isWhole = try context.run(pass, "verify", ranges, broker, of: certificate.records)
    var report = CertificateReport(
      topic: topic, file: check.file, certificate: certificate, recordsRead: pass.recordsRead, summary: pass.summary,
      differences: pass.differences, goneRanges: goneRanges(ranges, certificate, topic),
      completion: isWhole ? .whole : .cutShort(by: nil, after: pass.recordsRead, of: certificate.records))
    if let other = check.against, isWhole, let difference = report.differences.first {
      report.firstRecord = try firstRecord(of: difference, certificate, topic, ranges, broker, other)
    }
    let active = (context.time.monotonicNanoseconds - start) / 1_000_000
    try context.emit(report, broker: broker.name, activeMilliseconds: active)
    if !isWhole { return ExitCode.combined([Signals.exitCode ?? .success]) }
    return report.isMatch ? .success : .refuted
  }

  private func read() throws(CommandError) -> Certificate {
    let text = try FileDescriptor.contents(
      of: check.file, limit: Self.maxBytes, remedy: "name a file that replay --certificate has written")
    do { return try Certificate(parsing: text.bytes) } catch {
      throw CommandError(
        .data, "cannot verify against \(check.file)", why: error.why,
        remedy: "name a file that replay --certificate has written")
    }
  }

  /// Records that the log of the certificate had and this one has not any more. A copy has offsets of its own, and
  /// begins at 0.
  private func goneRanges(_ ranges: [Range<Offset>], _ certificate: Certificate, _ topic: String) -> [String] {
    zip(ranges, certificate.partitions).enumerated().compactMap { number, pair in
      let (low, start) = (pair.0.lowerBound, pair.1.offsets.lowerBound)
      guard low > start, pair.1.records > 0 else { return nil }
      return "\(TopicPartition(topic: topic, partition: Int32(number)))@\(start) to \(low - 1)"
    }
  }

  // MARK: - The other log

  /// A record without its bytes.
  private struct Mark: Equatable {
    var offset: Offset
    var key: Digest?
    var value: Digest?
  }

  private func firstRecord(
    of difference: CertificatePass.Difference, _ certificate: Certificate, _ topic: String,
    _ ranges: [Range<Offset>], _ broker: any Broker, _ other: BrokerSpec
  ) throws -> CertificateReport.FirstRecord? {
    let partition = difference.partition
    let there = try BrokerFactory.open(context, other, to: .read, outages: .look)
    let admin = try there.admin()
    defer { admin.close() }
    let marks = try admin.watermarks(topic: certificate.topic)
    func range(_ ranges: [Range<Offset>]) -> PartitionRange {
      let offsets = ranges.indices.contains(Int(partition)) ? ranges[Int(partition)] : 0..<0
      return PartitionRange(partition: partition, offsets: offsets)
    }
    let ours = try self.marks(of: difference.records, in: range(ranges), topic, broker)
    let theirs = try self.marks(
      of: difference.records, in: range(marks.map { $0.low..<$0.high }), certificate.topic, there)
    for index in 0..<max(ours.count, theirs.count) {
      let left = index < ours.count ? ours[index] : nil
      let right = index < theirs.count ? theirs[index] : nil
      if left?.key == right?.key, left?.value == right?.value, left != nil, right != nil { continue }
      func place(_ mark: Mark?, _ topic: String) -> String? {
        mark.map { Coordinates(TopicPartition(topic: topic, partition: partition), offset: $0.offset).description }
      }
      return CertificateReport.FirstRecord(
        number: difference.records.lowerBound + Int64(index), here: place(left, topic),
        there: place(right, certificate.topic),
        what: left == nil || right == nil ? nil : left?.key == right?.key ? "value" : "key")
    }
    return nil
  }

  /// The records of a partition with these numbers, counted from its first one.
  private func marks(
    of numbers: Range<Int64>, in range: PartitionRange, _ topic: String, _ broker: any Broker
  ) throws -> [Mark] {
    var (number, marks) = (Int64(0), [Mark]())
    let reader = try TopicReader(
      topic: topic, broker: broker, stop: context.stop, waits: { context.console.note($0.description) })
    defer { reader.close() }
    _ = try reader.read([range]) { record in
      if numbers.contains(number) {
        marks.append(
          Mark(
            offset: record.offset, key: record.key.map { Digest(of: $0) }, value: record.value.map { Digest(of: $0) }))
      }
      number += 1
      return number < numbers.upperBound
    }
    return marks
  }
}

extension CommandContext {
  /// Reads a topic for a certificate, with progress.
  /// - Parameters:
  ///   - ranges: Of each partition, by number.
  ///   - total: How many records there are to read.
  /// - Returns: `false` when a request to stop came first.
  func run(
    _ pass: CertificatePass, _ title: String, _ ranges: [Range<Offset>], _ broker: any Broker, of total: Int64
  ) throws -> Bool {
    let progress = Progress(title, console: console, time: time)
    defer { progress.finish() }
    return try pass.run(
      ranges, broker: broker, stop: stop, waits: { self.console.note($0.description) },
      turned: { progress.update($0.recordsRead, of: total) })
  }
}
