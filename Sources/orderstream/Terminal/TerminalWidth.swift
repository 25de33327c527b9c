#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// How many columns a terminal has.
enum TerminalWidth {
  static let fallbackColumns = 80

  /// What the terminal says; otherwise `COLUMNS`; otherwise 80.
  static func columns(of descriptor: Int32, environment: Environment = ProcessEnvironment.lookup) -> Int {
    var size = winsize()
    if ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
    if let columns = environment("COLUMNS").flatMap({ Int($0) }), columns > 0 { return columns }
    return fallbackColumns
  }
}
