import CRdKafka

/// A group as its coordinator describes it.
struct NativeGroup {
  struct Member {
    var id: String
    var host: String
    /// What its program calls itself.
    var clientID: String
    /// In the format of `protocolType`.
    var assignment: [UInt8]
  }

  var name: String
  var error: rd_kafka_resp_err_t
  var state: String
  var protocolType: String
  var members: [Member]
}
