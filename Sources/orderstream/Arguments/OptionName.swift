/// Every long option, by its name without the dashes. One name has one meaning and one arity in all commands.
enum OptionName: String, CaseIterable, Sendable {
  case brokers, topic, group, partitions
  case replicationFactor = "replication-factor"
  case property = "property"
  case config, instance, wait, json, quiet, verbose, color, progress
  case events, rate, seed
  case failureRate = "failure-rate"
  case users
  case startTime = "start-time"
  case span
  case firstOrder = "first-order"
  case input, unacknowledged
  case dryRun = "dry-run"
  case outputTopic = "output-topic"
  case onError = "on-error"
  case follow
  case idleTimeout = "idle-timeout"
  case maxEvents = "max-events"
  case resetOffsets = "reset-offsets"
  case output, execute
  case consumerDelay = "consumer-delay"
  case consumers
  case sampleInterval = "sample-interval"
  case drainTimeout = "drain-timeout"
  case keep, from, raw
  case acceptLoss = "accept-loss"
  case noGroup = "no-group"
  case before
  case help, version
}
