/// A path on the command line; `-` is kept as it is.
enum PathArgument {
  static func parse(_ text: String) throws(ValueError) -> String {
    if text.isEmpty { throw ValueError(why: "the path is empty", remedy: "name a file") }
    return text
  }
}
