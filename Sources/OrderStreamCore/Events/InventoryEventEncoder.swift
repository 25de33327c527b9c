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
