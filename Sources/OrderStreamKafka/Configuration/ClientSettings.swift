/// The librdkafka settings that this back end uses, for the benchmark, which gives the same ones to plain C.
package enum ClientSettings {
  package typealias Settings = [(key: String, value: String)]

  /// Those of `produce` at full speed.
  package static var producer: Settings { all(.producer(.bulk)) }

  /// Those of a consumer that does not join its group.
  package static func consumer(group: String) -> Settings { all(.consumer(group: group, instance: nil)) }

  /// Those of the producer of a pipeline's transactions.
  package static func transactional(id: String) -> Settings { all(.transactional(id: id)) }

  private static func all(_ profile: ClientProfile) -> Settings { profile.defaults + profile.promises }
}
