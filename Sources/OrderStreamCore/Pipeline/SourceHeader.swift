/// Where an inventory event says that it comes from: its header `source`, `<topic>/<partition>/<offset>/<line>`.
struct SourceHeader: Hashable {
  /// The topic's name is all but the last three parts, so that only they must be numbers.
  let isOfTopic: Bool
  let partition: Int32
  let offset: Offset
  /// 0-based index of the item in the order.
  let line: Int32

  /// - Returns: `nil` when the bytes do not have that form.
  init?(_ bytes: UnsafeRawBufferPointer, topic: UnsafeRawBufferPointer) {
    var rest = bytes
    guard let line = Self.takeNumber(&rest), let offset = Self.takeNumber(&rest),
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
