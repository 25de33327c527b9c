/// The numbers of generated orders, which their ids carry.
public enum OrderNumber {
  /// The number of an id `order_<digits>`; `nil` for any other id and for a number beyond 63 bits.
  public static func parse(_ id: UnsafeRawBufferPointer) -> Int64? {
    guard id.count > prefix.utf8CodeUnitCount else { return nil }
    for index in 0..<prefix.utf8CodeUnitCount where id[index] != prefix.utf8Start[index] { return nil }
    var number: Int64 = 0
    for byte in id[prefix.utf8CodeUnitCount...] {
      let digit = byte &- 48
      guard digit <= 9 else { return nil }
      let (product, overflow) = number.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(Int64(digit))
      if overflow || carry { return nil }
      number = sum
    }
    return number
  }

  /// The id of an order of that number: `order_000001`.
  public static func id(_ number: Int64) -> String {
    let digits = String(number)
    return "\(prefix)" + String(repeating: "0", count: max(0, leastDigits - digits.utf8.count)) + digits
  }

  static let prefix: StaticString = "order_"
  /// An id has at least so many digits.
  static let leastDigits = 6
}
