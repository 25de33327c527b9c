import CRdKafka
import OrderStreamCore

/// One transactional client with its topics. A fatal error or a call past its deadline ends the link; the transaction
/// makes another one with the same identity.
final class TransactionLink {
  let client: NativeClient
  private let topicCount: Int
  private let topics: TopicArray

  /// - Parameter topics: Outputs by index, then the state topic.
  init(_ client: NativeClient, topics names: [String]) throws(NativeError) {
    self.client = client
    topicCount = names.count
    topics = try TopicArray(client, names)
  }

  /// Asks for the leaders of every topic: the first transaction on a topic that the client does not know waits a second.
  func warmUp(_ names: [String]) {
    for name in names { _ = try? client.metadata(name, .seconds(5)) }
  }

  func send(_ record: OutgoingRecord, to topic: Int) -> rd_kafka_resp_err_t {
    precondition(topic >= 0 && topic < topicCount, "an output is named by its index")
    return topics.send(record, to: topic)
  }
}

/// Topics of one client by index.
private final class TopicArray {
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
  func send(_ record: OutgoingRecord, to index: Int) -> rd_kafka_resp_err_t {
    client.produce(record, to: boxes[index].topic)
  }
}
