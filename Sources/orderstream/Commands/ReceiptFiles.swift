import OrderStreamCore

/// The receipts that `audit` is given, read before a broker is opened.
struct ReceiptFiles {
  let topic: String
  let context: CommandContext

  /// Reads the runs of these files that published to the topic, and says of each that is not whole what it lacks.
  /// - Throws: `input` for a file that cannot be read, `data` for one that is no file of receipts, contradicts itself, or has
  ///   runs of other topics alone, and when no file has a run.
  func read(_ files: [String]) throws -> [ReceiptOfFile] {
    var runs: [ReceiptOfFile] = []
    for file in files {
      let all = try receipts(of: file)
      // Beside others it takes nothing away; alone it would prove nothing.
      if all.isEmpty, files.count > 1 {
        context.console.note("\(file) is empty: its run was killed before it was told of anything")
        continue
      }
      let ours = all.filter { $0.head.topic == topic }
      guard !ours.isEmpty else { throw noRun(file, all) }
      if ours.count < all.count {
        context.console.note(
          "\(file): \(all.count - ours.count) of \(all.count) runs published to another topic than \(topic), and are left out"
        )
      }
      for receipt in ours {
        if runs.contains(where: { $0.receipt.head.run == receipt.head.run }) {
          context.console.note("\(file): the run \(receipt.head.run) was given before, and is checked once")
          continue
        }
        tell(receipt, file)
        runs.append(ReceiptOfFile(file: file, receipt: receipt))
      }
    }
    if runs.isEmpty, let file = files.first { throw noRun(file, []) }
    return runs
  }

  private func noRun(_ file: String, _ receipts: [Receipt]) -> CommandError {
    guard let other = receipts.first?.head.topic else {
      return CommandError(
        .data, "cannot check \(file)", why: "it has no receipt",
        remedy: "name a file that produce --receipt has written")
    }
    return CommandError(
      .data, "cannot check \(file)", why: "it is the receipt of \(other), and not of \(topic)",
      remedy: "name that topic with --topic, or another file")
  }

  private func tell(_ receipt: Receipt, _ file: String) {
    let run = "\(file): the run \(receipt.head.run)"
    guard let tail = receipt.tail else {
      return context.console.note("\(run) has no end: it was killed, or goes on; what the file has of it is checked")
    }
    if !tail.isComplete {
      context.console.note("\(run) has no answer for \(tail.unknown) records, which may be on the log")
    }
  }

  private func receipts(of file: String) throws -> [Receipt] {
    let reader = try LineReader(file, longest: Receipt.longestLine)
    var parser = ReceiptParser()
    do {
      while let line = try reader.next() {
        switch line {
        // The end of the file is seen before the line is handed out only when it has no line feed.
        case .text(let bytes): try parser.add(bytes, isEnded: !reader.isAtEnd)
        case .tooLong:
          throw malformed(file, parser.lines + 1, "it is longer than \(Receipt.longestLine >> 20) MiB")
        }
      }
      if let signal = Signals.exitCode, !reader.isAtEnd {
        throw CommandError(signal, "cannot read \(file)", why: "a signal ended it")
      }
      try parser.finish()
    } catch let error as ReceiptParser.Malformed {
      throw malformed(file, error.line, error.why)
    }
    return parser.receipts
  }

  private func malformed(_ file: String, _ line: Int64, _ why: String) -> CommandError {
    CommandError(
      .data, "cannot check \(file), line \(line)", why: why,
      remedy: "name a file that produce --receipt has written")
  }
}
