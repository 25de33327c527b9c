import OrderStreamCore
import Testing

@testable import OrderStreamKafka

struct GroupAssignmentTests {
  /// Version 1, two topics, no user data.
  private let bytes: [UInt8] =
    [0, 1, 0, 0, 0, 2] + [0, 1, 0x62, 0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 3] + [0, 2, 0x61, 0x61, 0, 0, 0, 1, 0, 0, 1, 0]
    + [0xff, 0xff, 0xff, 0xff]

  @Test("topics and partitions are read, in order")
  func reads() {
    #expect(GroupAssignment(bytes).partitions.map(\.description) == ["aa[256]", "b[3]", "b[7]"])
  }

  @Test("no bytes are no partitions, as for a member that waits")
  func empty() {
    #expect(GroupAssignment([]).partitions.isEmpty)
    #expect(GroupAssignment([0, 0, 0, 0, 0, 0]).partitions.isEmpty)
  }

  @Test("bytes that end early or lie about their length are nothing, and cost no memory")
  func damaged() {
    for length in 0..<(bytes.count - 4) { #expect(GroupAssignment(Array(bytes.prefix(length))).partitions.isEmpty) }
    #expect(GroupAssignment([0, 0, 0x7f, 0xff, 0xff, 0xff]).partitions.isEmpty)
    #expect(GroupAssignment([0, 0, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0]).partitions.isEmpty)
  }
}
