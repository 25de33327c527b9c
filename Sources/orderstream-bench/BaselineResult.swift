import CBaseline

extension baseline_result {
  /// What went wrong, in words.
  var sentence: String {
    withUnsafeBytes(of: error) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }
}
