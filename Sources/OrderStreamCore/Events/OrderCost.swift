/// What an order may cost: the bytes of the inventory events that it becomes. Each event repeats the order's id twice, so
/// an order of 1 MB can ask for gigabytes; one beyond these limits is poison, for every command alike.
///
/// An event has the bytes of its key, its value as `InventoryEventEncoder` writes it, and `headerBytes`.
public enum OrderCost {
  /// Of all events of one order. A commit is due when it has as much (`PipelineLoop.Settings.commitBytes`).
  public static let mostBytes = 8 << 20
  /// Of each event: brokers that are not told otherwise take records of 1 MB.
  public static let mostEventBytes = 900_000
  /// What the header `source` counts, so that an order costs the same on every topic and before it has an offset: name and
  /// value where topics have names of up to 40 letters. With the longest names it is 190 bytes more.
  public static let headerBytes = 64

  /// No order of so many bytes reaches a limit: it has at most 128 items (none is shorter than 32 bytes), and each of
  /// their events at most 7 times its bytes (a byte of an id is six where it is escaped, and stands in the key) and 200.
  static let certainlyCheap = 4096

  /// - Parameter valueBytes: Of the order as it was read.
  @inline(__always)
  static func isTooHigh(_ order: DecodedOrder, valueBytes: Int) -> Bool {
    valueBytes > certainlyCheap && exceeds(order)
  }

  @inline(never)
  private static func exceeds(_ order: DecodedOrder) -> Bool {
    let common =
      InventoryEventEncoder.fixedBytes + order.orderID.count + JSONWriter.quotedCount(order.orderID)
      + JSONWriter.quotedCount(order.timestamp) + headerBytes
    var total = 0
    for item in order.items {
      let event = common + JSONWriter.quotedCount(item.itemID) + JSONWriter.digitCount(UInt64(item.quantity))
      total += event
      if event > mostEventBytes || total > mostBytes { return true }
    }
    return false
  }
}
