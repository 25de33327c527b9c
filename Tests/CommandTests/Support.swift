import Testing

@testable import orderstream

/// Parses a command line that is right.
func parsed(_ arguments: String..., environment: [String: String] = [:]) throws -> Invocation {
  try Invocation.parse(arguments, environment: environment.lookup)
}

/// Parses a command line that is wrong, and returns the error.
func refused(
  _ arguments: String..., environment: [String: String] = [:], location: SourceLocation = #_sourceLocation
) throws -> CommandError {
  try #require(failure(arguments, environment: environment), "the command line is right", sourceLocation: location)
}

private func failure(_ arguments: [String], environment: [String: String]) -> CommandError? {
  do {
    _ = try Invocation.parse(arguments, environment: environment.lookup)
    return nil
  } catch {
    return error
  }
}
