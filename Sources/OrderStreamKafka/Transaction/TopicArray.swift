import CRdKafka
import OrderStreamCore

/// Topics of one client by index.
final class TopicArray {
  private final class Box {
    let topic: NativeTopic
    init(_ topic: consuming NativeTopic) { self.topic = topic }
  }

  private let client: NativeClient
  private let boxes: [Box]

  init(_ client: NativeClient, _ names: [String]) throws(NativeError) {
    self.client = client
    var boxes: [Box] = []
    for name in names { boxes.append(Box(try NativeTopic(client, name))) }
    self.boxes = boxes
  }

  @inline(__always)
  func send(_ record: OutgoingRecord, to index: Int, tag: Int) -> rd_kafka_resp_err_t {
    client.produce(record, to: boxes[index].topic, tag: tag)
  }
}
