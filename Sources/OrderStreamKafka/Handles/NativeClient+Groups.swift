import CRdKafka
import OrderStreamCore

extension NativeClient {
  /// Describes one group, or all when `name` is `nil`.
  func groups(_ name: String?, _ timeout: Duration) throws(NativeError) -> [NativeGroup] {
    var result: UnsafePointer<rd_kafka_group_list>?
    let code = rd_kafka_list_groups(pointer, name, &result, timeout.pollMilliseconds)
    defer { if let result { rd_kafka_group_list_destroy(result) } }
    try NativeError.check(code)
    guard let result else { return [] }
    return (0..<Int(result.pointee.group_cnt)).map { Self.group(result.pointee.groups[$0]) }
  }

  /// What a group has committed, in all topics; below 0 where a partition has nothing.
  /// - Parameter stable: Offsets that wait for a transaction to end come with that error, instead of as they were before.
  func committedOffsets(
    group: String, stable: Bool = false, _ timeout: Duration
  ) throws(NativeError) -> [PartitionList.Element] {
    guard let request = rd_kafka_ListConsumerGroupOffsets_new(group, nil) else {
      throw NativeError(RD_KAFKA_RESP_ERR__INVALID_ARG)
    }
    defer { rd_kafka_ListConsumerGroupOffsets_destroy(request) }
    let answer = try adminAnswer(RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, timeout) { options, queue in
      // Refuses only another kind of request.
      if stable { rd_kafka_error_destroy(rd_kafka_AdminOptions_set_require_stable_offsets(options, 1)) }
      var requests: [OpaquePointer?] = [request]
      rd_kafka_ListConsumerGroupOffsets(pointer, &requests, 1, options, queue)
    }
    var count = 0
    guard let groups = rd_kafka_ListConsumerGroupOffsets_result_groups(answer.pointer, &count), count == 1,
      let result = groups[0]
    else { return [] }
    if let error = rd_kafka_group_result_error(result) { throw NativeError(rd_kafka_error_code(error)) }
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
        id: text(member.member_id), host: text(member.client_host), assignment: Array(assignment))
    }
    return NativeGroup(
      name: text(group.group), error: group.err, state: text(group.state), protocolType: text(group.protocol_type),
      members: members)
  }

  private static func text(_ pointer: UnsafePointer<CChar>?) -> String { pointer.map { String(cString: $0) } ?? "" }
}
