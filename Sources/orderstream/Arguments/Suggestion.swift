/// The nearest of several names, for a name that is not known.
enum Suggestion {
  /// - Returns: `nil` when nothing is near: more than a third of the letters would have to change.
  static func nearest(to name: String, among names: [String]) -> String? {
    if name.isEmpty || name.count > 64 { return nil }
    let lowered = name.lowercased()
    let scored = names.map { (name: $0, distance: distance(lowered, $0)) }
    guard let best = scored.min(by: { $0.distance < $1.distance }) else { return nil }
    if best.distance <= max(1, max(name.count, best.name.count) / 3) { return best.name }
    let begun = names.filter { $0.hasPrefix(lowered) }
    return begun.count == 1 && name.count >= 2 ? begun[0] : nil
  }

  /// Insertions, deletions, replacements and swaps of neighbours that turn one name into the other.
  static func distance(_ left: String, _ right: String) -> Int {
    let a = Array(left.unicodeScalars)
    let b = Array(right.unicodeScalars)
    var before: [Int] = []
    var last = Array(0...b.count)
    for i in 0..<a.count {
      var row = [i + 1]
      for j in 0..<b.count {
        var best = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, before[j - 1] + 1) }
        row.append(best)
      }
      (before, last) = (last, row)
    }
    return last[b.count]
  }
}
