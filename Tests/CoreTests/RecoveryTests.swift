import Testing

@testable import OrderStreamCore

@Suite("What a run bears, and what it counts")
struct RecoveryTests {
  private static let outage = BrokerError(.deliveryFailed, "cannot commit", why: "a broker is away", recovery: .abort)
  private static let fenced = BrokerError(.fenced, "cannot commit", why: "another member has it", recovery: .abort)

  @Test("A run with an end gives up after twenty aborts in a row, and a commit between them starts the count anew")
  func givesUp() throws {
    var recovery = Recovery(isService: false, stop: StopFlag())
    for _ in 1...20 { _ = try recovery.pauseBeforeAbort(because: Self.outage) }
    recovery.noteProgress()
    for _ in 1...20 { _ = try recovery.pauseBeforeAbort(because: Self.outage) }
    #expect(throws: PipelineError.self) { _ = try recovery.pauseBeforeAbort(because: Self.outage) }
  }

  @Test("A service goes on after any number of aborts that an outage explains, and of no others")
  func service() throws {
    var recovery = Recovery(isService: true, stop: StopFlag())
    for _ in 1...100 { _ = try recovery.pauseBeforeAbort(because: Self.outage) }
    #expect(throws: PipelineError.self) { _ = try recovery.pauseBeforeAbort(because: Self.fenced) }
  }

  @Test("The first abort does not wait, and those that an outage explains wait longer each time, up to a second")
  func pauses() throws {
    var recovery = Recovery(isService: true, stop: StopFlag())
    var pauses: [Duration] = []
    for _ in 1...8 { pauses.append(try recovery.pauseBeforeAbort(because: Self.outage)) }
    #expect(pauses.map(\.milliseconds) == [0, 80, 160, 320, 640, 1000, 1000, 1000])
    let unexplained = try recovery.pauseBeforeAbort(because: Self.fenced)
    #expect(unexplained == .zero)
  }

  @Test("Only a service that nobody has asked to stop waits an outage out, and a stop cuts its turn short")
  func waiting() {
    let away = BrokerError(.unreachable, "cannot poll", why: "a broker is away")
    let stop = StopFlag()
    let service = Recovery(isService: true, stop: stop)
    #expect(service.waitsOut(away) && !service.isCutShort(by: away))
    #expect(!Recovery(isService: false, stop: stop).waitsOut(away))
    stop.request()
    #expect(!service.waitsOut(away) && service.isCutShort(by: away))
  }

  @Test("A loss that is met again after an abort counts once, and what is lost beyond it counts too")
  func losses() {
    let figures = RunFigures(now: 0)
    figures.noteLoss(0, from: 10, to: 15)
    figures.noteLoss(0, from: 10, to: 15)
    #expect(figures.lostRecords == 5)
    figures.noteLoss(0, from: 10, to: 18)
    figures.noteLoss(1, from: 0, to: 2)
    #expect(figures.lostRecords == 10)
  }

  @Test("The active time goes from the first record to the last commit that covers records")
  func activeTime() {
    let figures = RunFigures(now: 100)
    figures.noteCommit(of: 0, at: 150)
    #expect(figures.activeNanoseconds == 0)
    figures.noteRecords(at: 200)
    figures.noteRecords(at: 300)
    #expect(figures.activeNanoseconds == 0)
    figures.noteCommit(of: 7, at: 450)
    figures.noteCommit(of: 0, at: 900)
    #expect(figures.activeNanoseconds == 250)
    #expect(figures.summary(.idle) == RunSummary(end: .idle, records: 7, activeNanoseconds: 250))
  }
}
