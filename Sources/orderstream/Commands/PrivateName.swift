/// Names of topics and groups that a run makes for itself.
enum PrivateName {
  /// Ten characters that no other run has, from the system's random numbers.
  static func random() -> String {
    let digits = String(UInt64.random(in: .min ... .max), radix: 36)
    return String((String(repeating: "0", count: 10) + digits).suffix(10))
  }
}
