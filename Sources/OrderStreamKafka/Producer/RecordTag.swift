/// The number that travels with a record and comes back in its report: its place in the order of sending, and whether
/// the log may hold it already.
struct RecordTag {
  let bits: Int

  init(_ bits: Int) { self.bits = bits }
  init(sequence: Int, mayBeSecond: Bool) { bits = sequence << 1 | (mayBeSecond ? 1 : 0) }

  var sequence: Int { bits >> 1 }
  var mayBeSecond: Bool { bits & 1 == 1 }
}
