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
    }
    return arguments
  }

  private static func length(_ pointer: UnsafePointer<CChar>) -> Int {
    var end = pointer
    while end.pointee != 0 { end += 1 }
    return end - pointer
  }
}
