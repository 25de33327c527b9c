import CRdKafka
import OrderStreamCore

extension NativeClient {
  /// Requests that librdkafka sends to a coordinator which it has to find first. One that times out before that is used
  /// after it was freed, in every version up to 2.15 (librdkafka issues 3663 and 4605), and ends the process. So they never
  /// time out there: their answer is waited for here, and one that comes later goes with its queue.
  private static let coordinatorOperations = [
    RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, RD_KAFKA_ADMIN_OP_DELETEGROUPS,
  ]
  /// The longest time-out that librdkafka takes.
  private static let longestTimeout = Duration.seconds(3600)

  /// What librdkafka is to be told of how long a request may take.
  static func requestTimeout(_ operation: rd_kafka_admin_op_t, _ timeout: Duration) -> Int32 {
    (coordinatorOperations.contains(operation) ? longestTimeout : timeout).pollMilliseconds
  }

  /// Sends one admin request by `send` and waits for its answer, which is there within a little more than `timeout` or
  /// never.
  func adminAnswer(
    _ operation: rd_kafka_admin_op_t, _ timeout: Duration,
    _ send: (_ options: OpaquePointer, _ queue: OpaquePointer) -> Void
  ) throws(NativeError) -> NativeEvent {
    guard let options = rd_kafka_AdminOptions_new(pointer, operation) else {
      throw NativeError(RD_KAFKA_RESP_ERR__INVALID_ARG)
    }
    defer { rd_kafka_AdminOptions_destroy(options) }
    var reason = [CChar](repeating: 0, count: 256)
    try NativeError.check(
      rd_kafka_AdminOptions_set_request_timeout(
        options, Self.requestTimeout(operation, timeout), &reason, reason.count))
    if [RD_KAFKA_ADMIN_OP_CREATETOPICS, RD_KAFKA_ADMIN_OP_DELETETOPICS, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS]
      .contains(operation)
    {
      try NativeError.check(
        rd_kafka_AdminOptions_set_operation_timeout(options, timeout.pollMilliseconds, &reason, reason.count))
    }
    let queue = NativeQueue.new(of: self)
    send(options, queue.pointer)
    // A little longer than the request's own time-out, so that its answer names the reason.
    guard let event = queue.poll(timeout + .seconds(2)) else { throw NativeError(RD_KAFKA_RESP_ERR__TIMED_OUT) }
    try event.check()
    return event
  }

  /// - Parameters:
  ///   - replicationFactor: `nil` for the broker's default.
  ///   - settings: Topic configuration.
  func createTopic(
    _ name: String, partitions: Int32, replicationFactor: Int16?, settings: [(String, String)], _ timeout: Duration
  ) throws(NativeError) {
    var reason = [CChar](repeating: 0, count: 256)
    guard let topic = rd_kafka_NewTopic_new(name, partitions, Int32(replicationFactor ?? -1), &reason, reason.count)
    else { throw Self.invalid(reason) }
    defer { rd_kafka_NewTopic_destroy(topic) }
    for (key, value) in settings { try NativeError.check(rd_kafka_NewTopic_set_config(topic, key, value)) }
    let answer = try adminAnswer(RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout) { options, queue in
      var topics: [OpaquePointer?] = [topic]
      rd_kafka_CreateTopics(pointer, &topics, 1, options, queue)
    }
    var count = 0
    try Self.check(rd_kafka_CreateTopics_result_topics(answer.pointer, &count), count)
  }

  /// The value of one setting of a topic, `nil` where the broker does not tell.
  func setting(_ name: String, of topic: String, _ timeout: Duration) throws(NativeError) -> String? {
    try settings([name], of: topic, timeout)[name]
  }

  /// The values of these settings of a topic, of those that the broker tells.
  func settings(_ names: [String], of topic: String, _ timeout: Duration) throws(NativeError) -> [String: String] {
    guard let resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic) else {
      throw NativeError(RD_KAFKA_RESP_ERR__INVALID_ARG)
    }
    defer { rd_kafka_ConfigResource_destroy(resource) }
    let answer = try adminAnswer(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout) { options, queue in
      var resources: [OpaquePointer?] = [resource]
      rd_kafka_DescribeConfigs(pointer, &resources, 1, options, queue)
    }
    var count = 0
    guard let found = rd_kafka_DescribeConfigs_result_resources(answer.pointer, &count), count == 1,
      let described = found[0]
    else { return [:] }
    try NativeError.check(rd_kafka_ConfigResource_error(described))
    guard let entries = rd_kafka_ConfigResource_configs(described, &count) else { return [:] }
    var values: [String: String] = [:]
    for index in 0..<count {
      let name = String(cString: rd_kafka_ConfigEntry_name(entries[index]))
      guard names.contains(name), let value = rd_kafka_ConfigEntry_value(entries[index]) else { continue }
      values[name] = String(cString: value)
    }
    return values
  }

  func addPartitions(_ topic: String, total: Int32, _ timeout: Duration) throws(NativeError) {
    var reason = [CChar](repeating: 0, count: 256)
    guard let partitions = rd_kafka_NewPartitions_new(topic, Int(total), &reason, reason.count) else {
      throw Self.invalid(reason)
    }
    defer { rd_kafka_NewPartitions_destroy(partitions) }
    let answer = try adminAnswer(RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, timeout) { options, queue in
      var all: [OpaquePointer?] = [partitions]
      rd_kafka_CreatePartitions(pointer, &all, 1, options, queue)
    }
    var count = 0
    try Self.check(rd_kafka_CreatePartitions_result_topics(answer.pointer, &count), count)
  }

  func deleteTopic(_ name: String, _ timeout: Duration) throws(NativeError) {
    let topic = rd_kafka_DeleteTopic_new(name)
    defer { rd_kafka_DeleteTopic_destroy(topic) }
    let answer = try adminAnswer(RD_KAFKA_ADMIN_OP_DELETETOPICS, timeout) { options, queue in
      var topics: [OpaquePointer?] = [topic]
      rd_kafka_DeleteTopics(pointer, &topics, 1, options, queue)
    }
    var count = 0
    try Self.check(rd_kafka_DeleteTopics_result_topics(answer.pointer, &count), count)
  }

  func deleteGroup(_ name: String, _ timeout: Duration) throws(NativeError) {
    let group = rd_kafka_DeleteGroup_new(name)
    defer { rd_kafka_DeleteGroup_destroy(group) }
    let answer = try adminAnswer(RD_KAFKA_ADMIN_OP_DELETEGROUPS, timeout) { options, queue in
      var groups: [OpaquePointer?] = [group]
      rd_kafka_DeleteGroups(pointer, &groups, 1, options, queue)
    }
    var count = 0
    guard let results = rd_kafka_DeleteGroups_result_groups(answer.pointer, &count), count == 1 else { return }
    if let error = rd_kafka_group_result_error(results[0]) {
      throw NativeError(rd_kafka_error_code(error), text: String(cString: rd_kafka_error_string(error)))
    }
  }

  /// Removes the records below the offsets of `list`.
  func deleteRecords(_ list: borrowing PartitionList, _ timeout: Duration) throws(NativeError) {
    let request = rd_kafka_DeleteRecords_new(list.pointer)
    defer { rd_kafka_DeleteRecords_destroy(request) }
    let answer = try adminAnswer(RD_KAFKA_ADMIN_OP_DELETERECORDS, timeout) { options, queue in
      var requests: [OpaquePointer?] = [request]
      rd_kafka_DeleteRecords(pointer, &requests, 1, options, queue)
    }
    guard let results = rd_kafka_DeleteRecords_result_offsets(answer.pointer) else { return }
    for element in PartitionList.elements(of: results) { try NativeError.check(element.error) }
  }

  private static func invalid(_ reason: [CChar]) -> NativeError {
    let text = reason.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    return NativeError(RD_KAFKA_RESP_ERR__INVALID_ARG, text: text)
  }

  private static func check(
    _ results: UnsafeMutablePointer<OpaquePointer?>?, _ count: Int
  ) throws(NativeError) {
    for index in 0..<(results == nil ? 0 : count) {
      let result = results![index]
      let code = rd_kafka_topic_result_error(result)
      guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { continue }
      throw NativeError(code, text: rd_kafka_topic_result_error_string(result).map { String(cString: $0) })
    }
  }
}

// MARK: - Groups

extension NativeClient {
  /// Describes one group, or all when `name` is `nil`.
  func groups(_ name: String?, _ timeout: Duration) throws(NativeError) -> [NativeGroup] {
    let answer = askForGroups(name, timeout)
    if let failure = answer.failure { throw failure }
    return answer.groups
  }

  /// As `groups`, but what brokers tell is kept when others do not answer: groups may be missing when there is a failure.
  /// Where one broker refuses and another does not, there may be none although groups are missing.
  func askForGroups(_ name: String?, _ timeout: Duration) -> (groups: [NativeGroup], failure: NativeError?) {
    var result: UnsafePointer<rd_kafka_group_list>?
    let code = rd_kafka_list_groups(pointer, name, &result, timeout.pollMilliseconds)
    let failure = code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : NativeError(code)
    guard let result else { return ([], failure) }
    defer { rd_kafka_group_list_destroy(result) }
    return ((0..<Int(result.pointee.group_cnt)).map { Self.group(result.pointee.groups[$0]) }, failure)
  }

  /// The names of all consumer groups that brokers tell, with the failures of those that do not.
  func consumerGroupNames(_ timeout: Duration) throws(NativeError) -> (names: [String], failures: [NativeError]) {
    let answer = try adminAnswer(RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, timeout) { options, queue in
      rd_kafka_ListConsumerGroups(pointer, options, queue)
    }
    var count = 0
    let found = rd_kafka_ListConsumerGroups_result_valid(answer.pointer, &count)
    let names = (0..<(found == nil ? 0 : count)).map { Self.text(rd_kafka_ConsumerGroupListing_group_id(found![$0])) }
    let errors = rd_kafka_ListConsumerGroups_result_errors(answer.pointer, &count)
    let failures = (0..<(errors == nil ? 0 : count)).map { index in
      NativeError(rd_kafka_error_code(errors![index]), text: Self.text(rd_kafka_error_string(errors![index])))
    }
    return (names, failures)
  }

  /// What each of these groups has committed, in all topics; below 0 where a partition has nothing. All are asked at once,
  /// so that a coordinator that does not answer delays no other group.
  func committedOffsets(
    of groups: [String], until deadline: Deadline
  ) -> [Swift.Result<[PartitionList.Element], NativeError>] {
    var answers = [Swift.Result<[PartitionList.Element], NativeError>](
      repeating: .failure(NativeError(RD_KAFKA_RESP_ERR__TIMED_OUT)), count: groups.count)
    guard let options = rd_kafka_AdminOptions_new(pointer, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS) else {
      return answers
    }
    defer { rd_kafka_AdminOptions_destroy(options) }
    var reason = [CChar](repeating: 0, count: 256)
    rd_kafka_AdminOptions_set_request_timeout(
      options, Self.requestTimeout(RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, deadline.remaining), &reason,
      reason.count)
    let queue = NativeQueue.new(of: self)
    for (index, group) in groups.enumerated() {
      guard let request = rd_kafka_ListConsumerGroupOffsets_new(group, nil) else { continue }
      defer { rd_kafka_ListConsumerGroupOffsets_destroy(request) }
      // Comes back with the answer; never null.
      rd_kafka_AdminOptions_set_opaque(options, UnsafeMutableRawPointer(bitPattern: index + 1))
      var requests: [OpaquePointer?] = [request]
      rd_kafka_ListConsumerGroupOffsets(pointer, &requests, 1, options, queue.pointer)
    }
    for _ in groups.indices {
      guard let event = queue.poll(deadline.remaining) else { break }
      let index = Int(bitPattern: rd_kafka_event_opaque(event.pointer)) - 1
      guard answers.indices.contains(index) else { continue }
      do { answers[index] = .success(try Self.committedOffsets(event)) } catch { answers[index] = .failure(error) }
    }
    return answers
  }

  private static func committedOffsets(_ answer: borrowing NativeEvent) throws(NativeError) -> [PartitionList.Element] {
    try answer.check()
    var count = 0
    guard let groups = rd_kafka_ListConsumerGroupOffsets_result_groups(answer.pointer, &count), count == 1,
      let result = groups[0]
    else { return [] }
    if let error = rd_kafka_group_result_error(result) {
      throw NativeError(rd_kafka_error_code(error), text: text(rd_kafka_error_string(error)))
    }
    guard let list = rd_kafka_group_result_partitions(result) else { return [] }
    return PartitionList.elements(of: list)
  }

  private static func group(_ group: rd_kafka_group_info) -> NativeGroup {
    let members = (0..<Int(group.member_cnt)).map { index in
      let member = group.members[index]
      let assignment = UnsafeRawBufferPointer(
        start: member.member_assignment, count: member.member_assignment == nil ? 0 : Int(member.member_assignment_size)
      )
      return NativeGroup.Member(
        id: text(member.member_id), host: text(member.client_host), clientID: text(member.client_id),
        assignment: Array(assignment))
    }
    return NativeGroup(
      name: text(group.group), error: group.err, state: text(group.state), protocolType: text(group.protocol_type),
      members: members)
  }

  private static func text(_ pointer: UnsafePointer<CChar>?) -> String { pointer.map { String(cString: $0) } ?? "" }

  /// What one group has committed; below 0 where a partition has nothing.
  /// - Parameter stable: Partitions of one topic, whose offsets come with an error when they wait for a transaction to
  ///   end; librdkafka 2.0.2 does not say so where all topics are asked for. `nil`: all topics, as it was before.
  func committedOffsets(
    group: String, stable: (topic: String, count: Int32)? = nil, _ timeout: Duration
  ) throws(NativeError) -> [PartitionList.Element] {
    let list = PartitionList(capacity: Int(stable?.count ?? 0))
    if let stable { for number in 0..<stable.count { list.add(stable.topic, number, offset: 0) } }
    guard let request = rd_kafka_ListConsumerGroupOffsets_new(group, stable == nil ? nil : list.pointer) else {
      throw NativeError(RD_KAFKA_RESP_ERR__INVALID_ARG)
    }
    defer { rd_kafka_ListConsumerGroupOffsets_destroy(request) }
    let answer = try adminAnswer(RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, timeout) { options, queue in
      // Refuses only another kind of request.
      if stable != nil { rd_kafka_error_destroy(rd_kafka_AdminOptions_set_require_stable_offsets(options, 1)) }
      var requests: [OpaquePointer?] = [request]
      rd_kafka_ListConsumerGroupOffsets(pointer, &requests, 1, options, queue)
    }
    return try Self.committedOffsets(answer)
  }
}

/// A group as its coordinator describes it.
struct NativeGroup {
  struct Member {
    var id: String
    var host: String
    /// What its program calls itself.
    var clientID: String
    /// In the format of `protocolType`.
    var assignment: [UInt8]

    /// Coordinators make the id of a static member of its instance id and a random part.
    func isInstance(_ instance: String) -> Bool { id.hasPrefix(instance + "-") }
  }

  var name: String
  var error: rd_kafka_resp_err_t
  var state: String
  var protocolType: String
  var members: [Member]
}
