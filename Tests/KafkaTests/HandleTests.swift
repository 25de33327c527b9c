import CRdKafka
import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamKafka

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Loops that make and destroy every handle; run under valgrind they show leaks of memory, and by themselves those of
/// threads and file descriptors.
@Suite(.serialized) struct HandleTests {
  private let factory = ClientFactory(
    brokers: "127.0.0.1:1", clientID: "test", properties: [], redactor: Redactor(properties: []), log: SilentLog())

  private func descriptors() -> Int {
    guard let directory = opendir("/proc/self/fd") else { return 0 }
    defer { closedir(directory) }
    var count = 0
    while readdir(directory) != nil { count += 1 }
    return count
  }

  @Test("clients of every kind can be made and destroyed without an answer from anybody")
  func clients() throws {
    let profiles: [ClientProfile] = [
      .producer(.bulk), .producer(.interactive), .transactional(id: "t"), .consumer(group: "g", instance: "i"),
      .consumer(group: "g", instance: nil), .reader(), .lookup(committed: true), .lookup(committed: false),
    ]
    for profile in profiles { _ = try factory.client(profile) }
    let before = descriptors()
    for _ in 0..<5 {
      for profile in profiles {
        let client = try factory.client(profile)
        #expect(!client.isFatal)
      }
    }
    // Other suites run beside this one and open what they need.
    #expect(descriptors() < before + 100)
  }

  @Test("lists, queues, topics and headers go with their owner")
  func parts() throws {
    let producer = try factory.client(.producer(.bulk))
    let consumer = try factory.client(.consumer(group: "g", instance: nil))
    for number in 0..<1000 {
      let list = PartitionList(topic: "t", [PartitionOffset(partition: 1, offset: Offset(number))])
      list.add("u", 2, offset: 5)
      #expect(list.elements.map(\.offset) == [Offset(number), 5])
      let topic = try NativeTopic(producer, "t")
      let queue = NativeQueue.main(of: producer)
      #expect(NativeQueue.consumer(of: consumer) != nil && NativeQueue.consumer(of: producer) == nil)
      queue.wake()
      let block = ByteBuffer()
      let name: StaticString = "n"
      UInt8(1).littleEndian.withBytes { Headers.append(name: name, value: $0, to: block) }
      let record = OutgoingRecord(
        partition: 0, timestampMs: 1, key: nil, value: nil, headers: Headers(block: block.bytes))
      #expect(producer.produce(record, to: topic) == RD_KAFKA_RESP_ERR_NO_ERROR)
    }
    producer.purge()
  }

  @Test("a refused configuration is destroyed")
  func refusedConfiguration() {
    for _ in 0..<200 {
      let configuration = NativeConfiguration()
      #expect(throws: NativeConfiguration.Refusal.self) { try configuration.set("foo", "1") }
      var transactional = ClientProfile.transactional(id: "t")
      transactional.promises.append(("message.timeout.ms", "600000"))
      #expect(throws: BrokerError.self) { _ = try factory.client(transactional) }
    }
  }

  @Test("a consumer without a generation says so")
  func generation() throws {
    let client = try factory.client(.consumer(group: "g", instance: nil))
    for _ in 0..<100 { #expect(GroupMetadata(of: client)?.generation == -1) }
  }
}

extension UInt8 {
  fileprivate func withBytes(_ body: (UnsafeRawBufferPointer) -> Void) { withUnsafeBytes(of: self, body) }
}
