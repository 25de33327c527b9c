import OrderStreamCore

/// A wait for transactions that others have left open: said aloud with the way to end them, and bounded.
struct OpenTransactionWait {
  /// Living members end theirs within a fraction of a second.
  private static let warnAfter = Duration.seconds(3)

  private let what: String
  private let context: KafkaContext
  /// `nil`: waits for ever.
  private let end: Deadline?
  private let warning: Deadline
  private var isSaid = false

  /// - Parameter what: What cannot be done meanwhile.
  init(_ what: String, _ context: KafkaContext) {
    self.what = what
    self.context = context
    end = context.outages.limit.duration.map { Deadline($0, context.time) }
    warning = Deadline(Self.warnAfter, context.time)
  }

  /// Returns when it is time to look again.
  /// - Parameter places: Where transactions are open, each with the first offset of the oldest one.
  /// - Throws: `busy` when they have been open for longer than the run waits, `timedOut` after a request to stop.
  mutating func pause(_ duration: Duration = .milliseconds(50), _ places: () -> [Coordinates]) throws(BrokerError) {
    if end?.hasPassed == true { throw error(places()) }
    if context.outages.hasStopped { throw context.stopped(what) }
    if warning.hasPassed && !isSaid {
      isSaid = true
      context.note(.warning, "\(what) yet: \(Self.why(places())); waiting; \(remedy(places()))")
    }
    if duration > .zero { context.time.sleep(duration) }
  }

  /// What a run says that does not wait any longer.
  func error(_ places: [Coordinates], why: String? = nil) -> BrokerError {
    BrokerError(.busy, what, why: why ?? Self.why(places), remedy: remedy(places), recovery: .fatal)
  }

  private static func why(_ places: [Coordinates]) -> String {
    let named = places.prefix(3).map(\.description).joined(separator: ", ")
    let more = places.count > 3 ? " and \(places.count - 3) more" : ""
    return "the transaction that is open on \(named)\(more) does not end"
  }

  private func remedy(_ places: [Coordinates]) -> String {
    guard let place = places.first else { return "try again" }
    let tool = "kafka-transactions.sh --bootstrap-server \(context.errors.brokers)"
    let partition = "--topic \(place.topicPartition.topic) --partition \(place.topicPartition.partition)"
    return "look whether its producer still lives (\(tool) describe-producers \(partition), or find-hanging), "
      + "and end it with \(tool) abort \(partition) --start-offset \(place.offset)"
  }
}
