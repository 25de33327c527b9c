import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import orderstream

@Suite("Files of offsets")
struct OffsetsFileTests {
  private func read(_ text: String, group: String? = nil) throws -> OffsetsFile {
    var text = text
    return try text.withUTF8 {
      try OffsetsFile("o.csv", parsing: UnsafeRawBufferPointer($0), topic: "orders", group: group)
    }
  }

  private func refusal(_ text: String, group: String? = nil) -> String? {
    do {
      _ = try read(text, group: group)
      return nil
    } catch let error as CommandError {
      return error.code == .data ? "\(error.what): \(error.why)" : "exit code \(error.code.rawValue)"
    } catch {
      return "\(error)"
    }
  }

  private let two = [PartitionOffset(partition: 1, offset: 5), PartitionOffset(partition: 0, offset: 0)]

  @Test(
    "The forms of kafka-consumer-groups.sh are read, with what editors and other programs make of them",
    arguments: [
      "orders,1,5\norders,0,0\n", "orders,1,5\r\norders,0,0", "\u{FEFF}orders,1,5\n\norders,0,0\n\n",
      "\"orders\",1,5\n orders , 0 , 0 \n", "g,orders,1,5\ng,orders,0,0\n", "\"g\",\"orders\",\"1\",5\ng,orders,0,0\n",
    ])
  func forms(text: String) throws { #expect(try read(text).offsets == two) }

  @Test func otherTopicsAndGroupsAreLeftOut() throws {
    let file = try read("g,orders,1,5\nh,orders,1,6\ng,other,0,3\ng,orders,0,0\n", group: "g")
    #expect(file.offsets == two && file.skipped.topics == 1 && file.skipped.groups == 1)
    #expect(try read("a,orders,1,5\nb,other,1,6\na,orders,0,0\n").offsets == two)
  }

  @Test(
    arguments: [
      ("", "cannot read o.csv: it has no offset of orders"),
      ("x,0,1\n", "cannot read o.csv: it has no offset of orders"),
      ("orders,0,1\norders,0\n", "cannot read line 2 of o.csv: it has 2 fields"),
      ("orders,0,1\ng,orders,1,2\n", "cannot read line 2 of o.csv: it has 4 fields, and those before it have 3"),
      ("TOPIC,PARTITION,OFFSET\norders,0,1\n", "cannot read line 1 of o.csv: 'PARTITION' is no partition"),
      ("orders,0,1\n\norders,1,-\n", "cannot read line 3 of o.csv: '-' is no offset"),
      ("orders,0,-1\n", "cannot read line 1 of o.csv: '-1' is no offset"),
      ("orders,-1,1\n", "cannot read line 1 of o.csv: '-1' is no partition"),
      ("other,0,x\norders,0,1\n", "cannot read line 1 of o.csv: 'x' is no offset"),
      ("orders,0,9223372036854775808\n", "cannot read line 1 of o.csv: '9223372036854775808' is no offset"),
      ("orders,0,1\norders,0,2\n", "cannot read line 2 of o.csv: orders[0] is named twice"),
      ("a,orders,0,1\nb,orders,1,2\n", "cannot read o.csv: it has offsets of orders of the groups a and b"),
    ])
  func refusals(text: String, why: String) { #expect(refusal(text) == why) }

  @Test func aGroupThatIsNotThere() {
    #expect(refusal("a,orders,0,1\n", group: "g") == "cannot read o.csv: it has no offset of orders of the group g")
  }

  @Test func whatIsWrittenIsRead() throws {
    #expect(OffsetsFile.text(topic: "orders", two) == "orders,1,5\norders,0,0\n")
    #expect(try read(OffsetsFile.text(topic: "orders", two)).offsets == two)
  }
}
