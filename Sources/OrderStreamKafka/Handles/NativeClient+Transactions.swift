import CRdKafka
import OrderStreamCore

/// Transaction calls block for at most the transaction's time-out (librdkafka's meaning of −1); deadlines beyond that
/// are the caller's.
extension NativeClient {
  /// Gets the identity of this producer, and aborts what an earlier owner of it left open.
  func initTransactions(_ timeout: Duration) throws(NativeError) {
    try NativeError.check(consuming: rd_kafka_init_transactions(pointer, timeout.pollMilliseconds))
  }

  func beginTransaction() throws(NativeError) {
    try NativeError.check(consuming: rd_kafka_begin_transaction(pointer))
  }

  func sendOffsets(_ offsets: borrowing PartitionList, _ group: GroupMetadata) throws(NativeError) {
    try NativeError.check(
      consuming: rd_kafka_send_offsets_to_transaction(pointer, offsets.pointer, group.pointer, -1))
  }

  func commitTransaction() throws(NativeError) {
    try NativeError.check(consuming: rd_kafka_commit_transaction(pointer, -1))
  }

  func abortTransaction(_ timeout: Duration? = nil) throws(NativeError) {
    try NativeError.check(consuming: rd_kafka_abort_transaction(pointer, timeout?.pollMilliseconds ?? -1))
  }
}
