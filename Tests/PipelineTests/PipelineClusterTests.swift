import OrderStreamTestSupport
import Testing

/// So that a run without a cluster says what it did not show.
struct PipelineClusterTests {
  @Test(
    "PipelineTests run on a Kafka cluster too",
    .enabled(if: BackEnd.all.count > 1, "ORDERSTREAM_TEST_BROKERS names no cluster"))
  func named() { #expect(BackEnd.all.count == 2) }
}
