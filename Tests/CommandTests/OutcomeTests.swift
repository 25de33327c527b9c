import OrderStreamCore
import Testing

@testable import orderstream

@Suite("Exit codes and errors")
struct OutcomeTests {
  @Test func ofSeveralFindingsTheHighestCounts() {
    #expect(ExitCode.combined([]) == .success)
    #expect(ExitCode.combined([.success, .refuted]) == .refuted)
    #expect(ExitCode.combined([.refuted, .data]) == .data)
    #expect(ExitCode.combined([.data, .unavailable, .refuted]) == .unavailable)
    #expect(ExitCode.combined([.unavailable, .io, .data]) == .io)
    #expect(ExitCode.combined([.success, .interrupted]) == .interrupted)
    #expect(ExitCode.combined([.data, .terminated]) == .terminated)
    #expect(ExitCode.combined([.terminated, .unavailable]) == .unavailable)
  }

  @Test(
    arguments: [
      (.unreachable, 69), (.timedOut, 69), (.deliveryFailed, 69), (.authentication, 77), (.unauthorized, 77),
      (.unknownTopic, 66), (.unknownPartition, 66), (.offsetOutOfRange, 66), (.invalidTopic, 64), (.topicExists, 73),
      (.cannotCreate, 73), (.groupActive, 75), (.fenced, 75), (.busy, 75), (.recordTooLarge, 65), (.recordRefused, 65),
      (.configuration, 78),
      (.foreignLog, 78), (.newerLog, 78), (.unsupported, 78), (.io, 74), (.diskFull, 74), (.damaged, 74),
      (.internalError, 70),
    ] as [(BrokerError.Code, Int32)])
  func everyErrorOfABrokerHasItsCode(code: BrokerError.Code, expected: Int32) {
    #expect(ExitCode(code).rawValue == expected)
  }

  @Test func anErrorOfAnyLayerIsTranslatedWhereTheRunEnds() {
    let broker = BrokerError(.unreachable, "cannot reach it", why: "no answer", remedy: "look at it")
    let expected = CommandError(.unavailable, "cannot reach it", why: "no answer", remedy: "look at it")
    let errors: [any Error] = [broker, PipelineError.broker(broker), expected]
    for error in errors { #expect(CommandError(error) == expected) }
    #expect(CommandError(PipelineError.groupActive(group: "g")).code == .temporary)
    #expect(CommandError(Unexpected()).code == .software)
  }

  @Test func anErrorIsOneLine() {
    let error = CommandError(
      BrokerError(.unknownTopic, "cannot read a\nb", why: "no such topic", remedy: "run produce"))
    #expect(error.description == #"error: cannot read a\nb: no such topic; run produce"#)
    #expect(CommandError(.io, "a", why: "b").description == "error: a: b")
  }
}
