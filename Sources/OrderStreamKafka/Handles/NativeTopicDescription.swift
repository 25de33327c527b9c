import CRdKafka

/// A topic as a broker describes it.
struct NativeTopicDescription {
  struct Partition {
    var number: Int32
    /// −1 when it has no leader.
    var leader: Int32
    var error: rd_kafka_resp_err_t
  }

  var name: String
  var error: rd_kafka_resp_err_t
  var partitions: [Partition]
}
