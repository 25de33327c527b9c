import CRdKafka
import OrderStreamCore
import OrderStreamThreads

/// Makes clients of one cluster with the user's properties.
struct ClientFactory: Sendable {
  let brokers: String
  let clientID: String
  let properties: [(key: String, value: String)]
  let redactor: Redactor
  let log: any LogSink

  /// What brokers know the clients of this run by; the user's property wins.
  var effectiveClientID: String { properties.last { $0.key == "client.id" }?.value ?? clientID }

  /// The user's own limit for records that are sent.
  var messageByteLimit: Int? { properties.last { $0.key == "message.max.bytes" }.flatMap { Int($0.value) } }

  /// - Throws: `configuration` with librdkafka's own words for a property or value that it refuses.
  func client(_ profile: ClientProfile) throws(BrokerError) -> NativeClient {
    let configuration = NativeConfiguration()
    let events = ClientEvents(log: log, redactor: redactor)
    do {
      for (key, value) in profile.defaults + [("client.id", clientID)] { try configuration.set(key, value) }
      for (key, value) in properties where !profile.ignores(key) { try configuration.set(key, value) }
      for (key, value) in profile.promises + [("bootstrap.servers", brokers)] { try configuration.set(key, value) }
      configuration.direct(to: events, rebalances: profile.rebalances, reports: profile.reports)
      return try NativeClient(configuration, profile.type, events: events)
    } catch {
      throw refused(error)
    }
  }

  /// Whether librdkafka knows the user's properties and takes their values.
  func check() throws(BrokerError) {
    let configuration = NativeConfiguration()
    do throws(NativeConfiguration.Refusal) {
      for (key, value) in properties { try configuration.set(key, value) }
    } catch {
      throw refused(error)
    }
  }

  private func refused(_ refusal: NativeConfiguration.Refusal) -> BrokerError {
    if refusal.isLackOfThreads {
      return BrokerError(
        .io, "cannot make a client", why: redactor.redact(refusal.reason), remedy: NoRoomForThread.remedy,
        recovery: .fatal)
    }
    let what =
      refusal.property.isEmpty ? "cannot use these properties" : "cannot set the property \(refusal.property)"
    return BrokerError(
      .configuration, what, why: redactor.redact(refusal.reason),
      remedy: "see librdkafka's list of configuration properties", recovery: .none)
  }
}
