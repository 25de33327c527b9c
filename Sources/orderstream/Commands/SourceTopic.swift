import OrderStreamCore

/// The topic that a consuming command reads: found, or created where that is right.
struct SourceTopic {
  /// What to do about a missing topic, for commands that can wait for it.
  static let followRemedy = "produce to it first, or use --follow to wait for it"

  let name: String
  let partitionCount: Int32

  /// A bounded run needs an existing topic; `--follow` creates a missing one.
  /// - Parameter remedy: what to do about a missing topic.
  init(
    _ name: String, follow: Bool, context: CommandContext, admin: any Admin, remedy: String = "produce to it first"
  ) throws(CommandError) {
    self.name = name
    let wishes = context.topicWishes
    let found = try CommandError.wrap { () throws(BrokerError) in
      if follow { return try TopicSetup.ensure(name, wishes: wishes, admin: admin) as Int32? }
      return try TopicSetup.partitionCount(of: name, wishes: wishes, admin: admin)
    }
    guard let found else {
      throw CommandError(
        .input, "cannot read topic \(name)", why: "there is no such topic",
        remedy: remedy)
    }
    partitionCount = found
  }

  /// The ends of all partitions now: the bound of a bounded run.
  func frozenEnds(_ admin: any Admin) throws(CommandError) -> [Offset] {
    try CommandError.wrap { () throws(BrokerError) in
      try admin.watermarks(topic: name, partitions: Int(partitionCount)).map(\.high)
    }
  }
}
