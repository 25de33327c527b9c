/// The words of the command line, which the system hands over as bytes.
enum ProcessArguments {
  /// Without the name of the program.
  /// - Throws: `usage` when an argument is not UTF-8: it could not be kept as it is.
  static func read() throws(CommandError) -> [String] {
    var arguments: [String] = []
    for index in stride(from: 1, to: Int(CommandLine.argc), by: 1) {
      guard let pointer = CommandLine.unsafeArgv[index] else { break }
      guard let text = String(validatingCString: pointer) else {
        let shown = TerminalText.escaped(UnsafeRawBufferPointer(start: pointer, count: length(pointer)))
        throw .usage("argument '\(shown)'", why: "it is not UTF-8", remedy: "use UTF-8 names")
      }
      arguments.append(text)
      hideSecret(of: text, at: pointer)
    }
    return arguments
  }

  /// Overwrites the value of a secret property where the system shows it to every user (`ps`).
  private static func hideSecret(of argument: String, at pointer: UnsafeMutablePointer<CChar>) {
    var pair = argument[...]
    // -Xkey=value and -X=key=value are one word, -X key=value are two.
    if pair.hasPrefix("-X") { pair = pair.dropFirst(pair.hasPrefix("-X=") ? 3 : 2) }
    guard let equals = pair.utf8.firstIndex(of: UInt8(ascii: "=")) else { return }
    let property = Property(key: String(pair[..<equals]), value: "")
    guard property.isSecret else { return }
    var position = pointer + argument.utf8.distance(from: argument.startIndex, to: equals) + 1
    while position.pointee != 0 {
      position.pointee = CChar(bitPattern: UInt8(ascii: "*"))
      position += 1
    }
  }

  private static func length(_ pointer: UnsafePointer<CChar>) -> Int {
    var end = pointer
    while end.pointee != 0 { end += 1 }
    return end - pointer
  }
}
