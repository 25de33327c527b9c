/// What this build is made from.
public enum BuildFacts {
  /// The commit, with "-changed" where files differed from it; "unknown" outside a repository.
  public static var commit: String { BuiltCommit.text }

  /// The version of the language, as its compiler tells.
  public static var swift: String {
    #if compiler(>=6.4)
      "6.4 or newer"
    #elseif compiler(>=6.3)
      "6.3"
    #else
      "6.2"
    #endif
  }
}
