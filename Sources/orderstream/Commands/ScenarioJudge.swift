import OrderStreamCore
import OrderStreamThreads
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// `orderstream status --watch` in a process of its own, which knows the name of the group and nothing else. What it says
/// is judged.
final class ScenarioJudge {
  private struct State {
    var looks: [LagLook] = []
    var hasEnded = false
  }

  /// What has come and was not taken yet. Of the reading thread and the run.
  private final class Inbox: Sendable {
    let state = Mutex(State())
  }

  private let inbox = Inbox()
  private let context: CommandContext
  private let reader: BackgroundThread<Void>
  private var child: ChildProcess

  /// - Throws: `temporary` or `io` when it cannot be started.
  init(of group: String, _ plan: ScenarioPlan, _ context: CommandContext) throws {
    self.context = context
    let pipe = try ChildPipe()
    defer { systemClose(pipe.write) }
    let words = [
      "status", "--group", group, "--json", "--quiet", "--watch", "\(plan.interval.milliseconds)ms", "--window",
      "\(plan.window.milliseconds)ms",
    ]
    do throws(CommandError) {
      child = try ChildProcess(words + context.connectionWords, output: pipe.write)
    } catch {
      systemClose(pipe.read)
      throw error
    }
    let (descriptor, inbox, time) = (pipe.read, inbox, context.time)
    reader = BackgroundThread.endingByItself {
      Self.read(descriptor, group) { look in
        inbox.state.withLock { $0.looks.append(look) }
      } time: {
        time.monotonicNanoseconds
      }
      inbox.state.withLock { $0.hasEnded = true }
    }
  }

  /// What it has said since the last call.
  /// - Throws: `software` when it has ended, which only we ask it to.
  func takeLooks() throws(CommandError) -> [LagLook] {
    let (looks, hasEnded) = inbox.state.withLock { state in
      defer { state.looks = [] }
      return (state.looks, state.hasEnded)
    }
    guard hasEnded && looks.isEmpty && !context.stop.isRequested else { return looks }
    throw CommandError(
      .unavailable, "cannot judge the lag", why: "the process of 'orderstream status' has ended",
      remedy: "see what it has said above, and run again")
  }

  func close() {
    child.end(context.time)
    reader.join()
  }

  /// Reads documents, one a line, until the other end is closed.
  private static func read(
    _ descriptor: Int32, _ group: String, _ take: (LagLook) -> Void, time: () -> Int64
  ) {
    defer { systemClose(descriptor) }
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    let line = ByteBuffer()
    while true {
      let count = chunk.withUnsafeMutableBytes { systemRead(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      let now = time()
      for part in chunk[..<count].split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
        if part.offset > 0 {
          if let look = Document(parsing: line.bytes).flatMap({ LagLook($0, group: group, at: now) }) { take(look) }
          line.removeAll()
        }
        part.element.withUnsafeBytes { line.append($0) }
      }
    }
  }
}

/// `read(2)` and `close(2)`, which the methods of those names would hide.
private let systemRead: @Sendable (Int32, UnsafeMutableRawPointer?, Int) -> Int = { read($0, $1, $2) }
private let systemClose: @Sendable (Int32) -> Void = { close($0) }

extension CommandContext {
  /// The words of a command line that lead another process of this program to the same broker.
  var connectionWords: [String] {
    var words = ["--brokers", options.brokers.description]
    if let file = options.configFile { words += ["--config", file] }
    for property in options.properties where options.propertyOrigins[property.key] == "option -X" {
      words += ["-X", "\(property.key)=\(property.value)"]
    }
    return words
  }
}
