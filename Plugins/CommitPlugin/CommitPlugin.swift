import Foundation
import PackagePlugin

/// Writes before each build which commit is built, for `--version -v`. A manifest cannot say it: SwiftPM keeps what it was
/// told first. The file is left alone while it says the same, so that nothing is compiled again.
@main
struct CommitPlugin: BuildToolPlugin {
  private static let script = """
    commit=$(git -C "$1" rev-parse HEAD 2>/dev/null) || commit=unknown
    [ "$commit" = unknown ] || git -C "$1" diff --quiet HEAD 2>/dev/null || commit="$commit-changed"
    text="enum BuiltCommit { static let text = \\"$commit\\" }"
    [ "$(cat "$2" 2>/dev/null)" = "$text" ] || printf '%s\\n' "$text" >"$2"
    """

  func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
    let directory = context.pluginWorkDirectoryURL
    let file = directory.appendingPathComponent("BuiltCommit.swift")
    return [
      .prebuildCommand(
        displayName: "Which commit is built", executable: URL(fileURLWithPath: "/bin/sh"),
        arguments: ["-c", Self.script, "sh", context.package.directoryURL.path, file.path],
        outputFilesDirectory: directory)
    ]
  }
}
