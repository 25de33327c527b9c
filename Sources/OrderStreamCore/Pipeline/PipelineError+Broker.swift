/// Runs a call of a port and gives its error the pipeline's type.
@inline(__always)
func brokerCall<Result>(_ body: () throws(BrokerError) -> Result) throws(PipelineError) -> Result {
  do throws(BrokerError) {
    return try body()
  } catch {
    throw .broker(error)
  }
}
