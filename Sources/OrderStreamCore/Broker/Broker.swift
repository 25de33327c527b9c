/// A log that orders travel on. A back end gives these five ports; a processor never learns which back end it is.
///
/// A broker may be used from several threads; what it makes belongs to the thread that uses it (not `Sendable`).
public protocol Broker: Sendable {
  /// What documents and notes call this broker: `embedded:/path` or `host:port,…`. Never holds a secret.
  var name: String { get }

  /// - Throws: `BrokerError` when the broker cannot be reached or opened.
  func admin() throws(BrokerError) -> any Admin

  /// A producer for one existing topic.
  /// - Parameter reports: the records that `Producer.takeReports` tells of.
  func producer(topic: String, pace: ProducerPace, reports: RecordReports.Detail) throws(BrokerError) -> any Producer

  /// A consumer of one existing topic.
  func consumer(_ options: ConsumerOptions) throws(BrokerError) -> any Consumer

  /// Transactions that commit outputs, state and the offsets of `consumer` together. `outputs` are existing topics;
  /// `Transaction.send` names them by their index here. One per consumer; used on the consumer's thread.
  func transaction(for consumer: any Consumer, outputs: [String]) throws(BrokerError) -> any Transaction
}

extension Broker {
  /// A producer that tells of refused records only.
  public func producer(topic: String, pace: ProducerPace) throws(BrokerError) -> any Producer {
    try producer(topic: topic, pace: pace, reports: .refusals)
  }
}

/// What a producer should be good at.
public enum ProducerPace: Sendable {
  /// As many records a second as the broker takes.
  case bulk
  /// Records arrive at a rate that somebody watches: each one leaves within a few milliseconds.
  case interactive
}
