/// The number that travels with a record and comes back in its report: its place in the order of sending, whether the log
/// may hold it already, and whether it was sent in a batch of its own.
struct RecordTag {
  let bits: Int

  init(_ bits: Int) { self.bits = bits }

  init(sequence: Int64, mayBeSecond: Bool = false, isAlone: Bool = false) {
    bits = Int(sequence) << 2 | (isAlone ? 2 : 0) | (mayBeSecond ? 1 : 0)
  }

  /// As in `RecordReports`.
  var sequence: Int64 { Int64(bits >> 2) }
  var isAlone: Bool { bits & 2 == 2 }
  var mayBeSecond: Bool { bits & 1 == 1 }
}
