/// Why a text is no value of its kind. Whoever knows where the text came from adds that.
struct ValueError: Error, Hashable, Sendable {
  var why: String
  var remedy: String
}
