import CRdKafka
import OrderStreamCore

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
