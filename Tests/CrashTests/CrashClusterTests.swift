import OrderStreamTestSupport
import Testing

/// So that a run without a cluster says what it did not show.
struct CrashClusterTests {
  @Test(
    "CrashTests run on a Kafka cluster too",
    .enabled(if: TestBroker.all.count > 1, "ORDERSTREAM_TEST_BROKERS names no cluster"))
  func named() { #expect(TestBroker.all.count == 2) }
}
