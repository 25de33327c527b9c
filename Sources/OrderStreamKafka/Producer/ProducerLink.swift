import OrderStreamCore
import OrderStreamThreads
import Synchronization

/// One client of a producer with its topic and the thread that counts reports. A fatal error ends the link; the producer
/// makes another one.
final class ProducerLink {
  let client: NativeClient
  let pump: ReportPump
  private let topic: NativeTopic

  init(
    _ client: NativeClient, topic: String, _ ledger: DeliveryLedger, _ time: any TimeSource
  ) throws(NativeError) {
    self.client = client
    self.topic = try NativeTopic(client, topic)
    pump = ReportPump(client, ledger, time)
    // The first record on a topic that the client does not know waits for the next metadata request.
    _ = try? client.metadata(topic, .seconds(5))
    pump.start()
  }

  func send(_ record: OutgoingRecord, _ tag: RecordTag) throws(NativeError) {
    try NativeError.check(client.produce(record, to: topic, tag: tag.bits))
  }
}

/// Serves a client's delivery reports on a thread of its own, so that they are counted however slowly the sender sends.
///
/// A sender at full speed serves most of them itself (`serveReady`): what one thread allocates and another one frees
/// costs both of them more than the reports do. The thread therefore leaves reports lying for a moment.
final class ReportPump: Sendable {
  /// How long the thread sleeps at most when nothing comes.
  private static let pollInterval = Duration.milliseconds(100)
  /// How long it leaves the next reports to the sender.
  private static let pause = Duration.milliseconds(5)

  private let client: NativeClient
  private let queue: NativeQueue
  private let ledger: DeliveryLedger
  private let time: any TimeSource
  private let stopped = Atomic<Bool>(false)
  private let thread = Mutex<BackgroundThread<Void>?>(nil)

  init(_ client: NativeClient, _ ledger: DeliveryLedger, _ time: any TimeSource) {
    self.client = client
    self.ledger = ledger
    self.time = time
    queue = NativeQueue.main(of: client)
  }

  /// Without a thread of its own what the sender serves is all that is served.
  func start() {
    let started = try? BackgroundThread { [self] in
      while !stopped.load(ordering: .acquiring) {
        serve(Self.pollInterval)
        serveReady()
        time.sleep(Self.pause)
      }
    }
    thread.withLock { $0 = started }
  }

  /// Waits up to `timeout` for reports and counts them. Any thread.
  func serve(_ timeout: Duration) {
    guard let event = queue.poll(timeout) else { return }
    // Asked after the event came: an error that ended the client was known before the reports that it caused.
    ledger.enter(event, isFatal: client.isFatal)
  }

  /// Counts the reports that are there. Any thread.
  func serveReady() {
    while let event = queue.poll(.zero) { ledger.enter(event, isFatal: client.isFatal) }
  }

  /// Ends the thread; reports that are still queued are served here.
  func stop() {
    stopped.store(true, ordering: .releasing)
    queue.wake()
    _ = thread.withLock { $0 }?.join(.seconds(5))
    serveReady()
  }
}
