/// How a child ended and what it said.
package struct Outcome: CustomStringConvertible {
  /// The exit code; 1000 + the signal when one killed it.
  package let code: Int32
  package let output: [UInt8]
  package let errors: String
  private let command: String

  package init(command: String, status: Int32, output: [UInt8], errors: [UInt8]) {
    self.command = command
    code = status & 0x7f == 0 ? (status >> 8) & 0xff : 1000 + (status & 0x7f)
    self.output = output
    self.errors = String(decoding: errors, as: UTF8.self)
  }

  package var text: String { String(decoding: output, as: UTF8.self) }

  /// The lines of stdout; every one of them has its line feed.
  package var lines: [String] {
    text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
  }

  /// The lines of stderr that are errors.
  package var errorLines: [String] {
    errors.split(separator: "\n").map(String.init).filter { $0.hasPrefix("error: ") }
  }

  /// stdout as one JSON document on one line.
  package var document: JSON {
    get throws {
      guard output.last == 0x0A, output.filter({ $0 == 0x0A }).count == 1 else {
        throw HarnessError("stdout is not one document on one line: \(self)")
      }
      return try JSON(parsing: output)
    }
  }

  package var description: String {
    let shown = text.count > 2000 ? "\(text.prefix(2000))…" : text
    return "\(command)\nexit code \(code)\nstdout: \(shown)\nstderr: \(errors.prefix(4000))"
  }
}
