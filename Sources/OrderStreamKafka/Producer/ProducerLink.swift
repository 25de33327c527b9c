import OrderStreamCore

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
