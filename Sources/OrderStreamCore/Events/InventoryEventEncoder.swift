internal import CSimdJSON

/// Writes `InventoryEvent` values and the header that names their source. Allocates nothing in the steady state.
///
/// `into:` replaces the buffer's content.
public enum InventoryEventEncoder {
  /// One event for one item of an order: `reserve` for a placed order, `release` for a failed one. The key of its record
  /// is the order's id.
  public static func encode(order: DecodedOrder, item: DecodedOrder.Item, into buffer: ByteBuffer) {
    buffer.removeAll()
    buffer.append(#"{"event_type":"InventoryEvent","order_id":"# as StaticString)
    JSONWriter.appendQuoted(order.orderID, to: buffer)
    buffer.append(#","item_id":"# as StaticString)
    JSONWriter.appendQuoted(item.itemID, to: buffer)
    buffer.append(#","quantity":"# as StaticString)
    JSONWriter.appendInteger(Int64(item.quantity), to: buffer)
    if order.isFailed {
      buffer.append(#","action":"release","timestamp":"# as StaticString)
    } else {
      buffer.append(#","action":"reserve","timestamp":"# as StaticString)
    }
    JSONWriter.appendQuoted(order.timestamp, to: buffer)
    buffer.append(UInt8(ascii: "}"))
  }

  /// Of a value, without its order id, item id, quantity and timestamp.
  static let fixedBytes = fixedText.utf8CodeUnitCount
  private static let fixedText: StaticString =
    #"{"event_type":"InventoryEvent","order_id":,"item_id":,"quantity":,"action":"reserve","timestamp":}"#

  /// The header block (see `Headers`) with the one header `source` = `<topic>/<partition>/<offset>/<line>`.
  /// - Parameters:
  ///   - offset: of the order's record.
  ///   - line: 0-based index of the item in the order.
  public static func sourceHeader(
    topic: UnsafeRawBufferPointer, partition: Int32, offset: Offset, line: Int, into buffer: ByteBuffer
  ) {
    buffer.removeAll()
    Headers.append(name: "source", value: UnsafeRawBufferPointer(start: nil, count: 0), to: buffer)
    let start = buffer.count
    buffer.append(topic)
    appendNumber(Int64(partition), to: buffer)
    appendNumber(offset, to: buffer)
    appendNumber(Int64(line), to: buffer)
    // The length could not be known before the digits were.
    buffer.overwrite(littleEndian: Int32(buffer.count - start), at: start - MemoryLayout<Int32>.size)
  }

  /// The same, with the topic's name as a string: costs no allocation for a native Swift string.
  public static func sourceHeader(
    topic: String, partition: Int32, offset: Offset, line: Int, into buffer: ByteBuffer
  ) {
    var topic = topic
    topic.withUTF8 {
      sourceHeader(
        topic: UnsafeRawBufferPointer($0), partition: partition, offset: offset, line: line, into: buffer)
    }
  }

  private static func appendNumber(_ number: Int64, to buffer: ByteBuffer) {
    buffer.append(UInt8(ascii: "/"))
    JSONWriter.appendInteger(number, to: buffer)
  }
}

/// Where an inventory event says that it comes from: its header `source`, `<topic>/<partition>/<offset>/<line>`; or a dead
/// letter, without the line.
struct SourceHeader: Hashable {
  /// The topic's name is all but the last three parts, so that only they must be numbers.
  let isOfTopic: Bool
  let partition: Int32
  let offset: Offset
  /// 0-based index of the item in the order; 0 where a record as a whole is named.
  let line: Int32

  /// - Parameter hasLine: Whether an item is named, and not a record.
  /// - Returns: `nil` when the bytes do not have that form.
  init?(_ bytes: UnsafeRawBufferPointer, topic: UnsafeRawBufferPointer, hasLine: Bool = true) {
    var rest = bytes
    guard let line = hasLine ? Self.takeNumber(&rest) : 0, let offset = Self.takeNumber(&rest),
      let partition = Self.takeNumber(&rest), let line = Int32(exactly: line),
      let partition = Int32(exactly: partition)
    else { return nil }
    self.partition = partition
    self.offset = offset
    self.line = line
    isOfTopic = rest.holdsSameBytes(as: topic)
  }

  /// Takes `/<digits>` off the end; a number has one form, so leading zeros name nothing.
  private static func takeNumber(_ rest: inout UnsafeRawBufferPointer) -> Int64? {
    guard let slash = rest.lastIndex(of: UInt8(ascii: "/")) else { return nil }
    var value: Int64 = 0
    let digits = rest[(slash + 1)...]
    guard (1...19).contains(digits.count), digits.count == 1 || digits.first != UInt8(ascii: "0") else { return nil }
    for digit in digits {
      guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(Int64(digit - UInt8(ascii: "0")))
      guard !overflow, !carry else { return nil }
      value = sum
    }
    rest = UnsafeRawBufferPointer(rebasing: rest[..<slash])
    return value
  }
}

/// Tells whether an inventory event says what it must, however its JSON is written: key order, white space, escapes,
/// number forms and unknown fields change nothing, as for orders.
///
/// Not `Sendable`: one matcher a thread.
public final class InventoryEventMatcher {
  private let parser = OrderParser()

  public init() {}

  /// - Parameters:
  ///   - value: followed by `ByteBuffer.tailPadding` readable bytes.
  ///   - item: one of the order's own, from another decoder than this matcher's.
  public func matches(_ value: UnsafeRawBufferPointer, order: DecodedOrder, item: DecodedOrder.Item) -> Bool {
    guard let event = parser.decodeEvent(value) else { return false }
    return event.quantity == item.quantity && Self.equal(event.order_id, order.orderID)
      && Self.equal(event.item_id, item.itemID) && Self.equal(event.timestamp, order.timestamp)
      && UnsafeRawBufferPointer(event.action).elementsEqual((order.isFailed ? "release" : "reserve").utf8)
  }

  private static func equal(_ text: csimdjson_text, _ expected: UnsafeRawBufferPointer) -> Bool {
    UnsafeRawBufferPointer(text).elementsEqual(expected)
  }
}
