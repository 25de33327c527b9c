import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamEmbedded

@Suite struct GroupSharingTests {
  @Test("Targets are ranges over the members in the order of their ids")
  func ranges() {
    var state = group(partitions: 7)
    for id in ["c", "a", "b"] { state.join(.init(id: id, host: "h")) }
    #expect(state.slots.map(\.target) == ["a", "a", "a", "b", "b", "c", "c"])
  }

  @Test("A partition changes hands only after its owner has given it up")
  func handOver() {
    var state = group(partitions: 2)
    state.join(.init(id: "b", host: "h"))
    #expect(state.take("b") == [0, 1])
    let before = state.generation
    state.join(.init(id: "a", host: "h"))
    #expect(state.generation > before && !state.isStable)
    #expect(state.take("a") == nil)
    #expect(state.owned(by: "b", generation: before).count == 2)
    state.release("b")
    #expect(state.take("a") == [0] && state.take("b") == [1])
    #expect(state.isStable)
    #expect(state.owned(by: "b", generation: before).isEmpty)
  }

  @Test("Two members never own one partition, in any order of joins, deaths, takes and releases")
  func storm() {
    let seed: UInt64 = 7
    var random = SeededRandom(seed: seed)
    var state = group(partitions: 5)
    var held: [String: [Int32]] = [:]
    var last: Int64 = 0
    for step in 0..<5000 {
      let id = ["a", "b", "c", "d"].randomElement(using: &random)!
      switch Int.random(in: 0..<5, using: &random) {
      case 0 where !state.contains(id): state.join(.init(id: id, host: "h"))
      case 1:
        state.remove([id])
        held[id] = nil
      case 2:
        state.release(id)
        held[id] = nil
      default:
        if let taken = state.take(id) { held[id] = taken }
      }
      let all = held.values.flatMap { $0 }
      #expect(Set(all).count == all.count, "seed \(seed), step \(step)")
      #expect(state.generation >= last)
      last = state.generation
    }
  }

  @Test("A member is replaced once its lease is over on the clock of another one")
  func lease() throws {
    let fixture = LogFixture()
    let broker = try fixture.open()
    try broker.createTopic("t", partitions: 2)
    let options = ConsumerOptions(topic: "t", membership: .member(group: "g"))
    let batch = RecordBatch()
    let stopped = try broker.consumer(options)
    defer { stopped.close() }
    #expect(try stopped.poll(into: batch, timeout: .zero) == .assigned([0, 1]))
    try stopped.assign([PartitionOffset(partition: 0, offset: 0), PartitionOffset(partition: 1, offset: 0)])
    let time = MovedTime()
    let other = try EmbeddedBroker.open(directory: fixture.directory.path, log: SilentLog(), time: time)
    let heir = try other.consumer(options)
    defer { heir.close() }
    #expect(try heir.poll(into: batch, timeout: .zero) == .polled)
    time.move(by: MemberFile.lease * 2)
    #expect(try heir.poll(into: batch, timeout: .zero) == .assigned([0, 1]))
    #expect(try stopped.poll(into: batch, timeout: .zero) == .lost)
  }

  private func group(partitions: Int) -> GroupState {
    var state = GroupState()
    state.slots = (0..<partitions).map { GroupState.Slot(partition: Int64($0) + 10, number: Int32($0)) }
    return state
  }
}
