import CBaseline
import OrderStreamCore

/// The loops that need no broker.
struct MemorySuite {
  let options: Options
  let ready: ReadyOrders

  func run() throws -> [Row] {
    let loops = Loops(ready)
    let events = options.events
    var touch: [Sample] = []
    var encode: [Sample] = []
    var decode: [Sample] = []
    var metrics: [Sample] = []
    var twoThreads: [Sample] = []
    var project: [Sample] = []
    for _ in 0..<options.rounds {
      touch.append(
        Sample.measure(events: events) {
          for _ in 0..<(events / Int64(ReadyOrders.count)) {
            let bytes = ready.bytes.bytes
            _ = baseline_touch(bytes.assumingMemoryBound(to: UInt8.self).baseAddress, bytes.count)
          }
        })
      encode.append(Sample.measure(events: events) { loops.encode(events) })
      decode.append(try Sample.measure(events: events) { try loops.decode(events) })
      metrics.append(try Sample.measure(events: events) { try loops.decodeAndCount(events, threads: 1) })
      twoThreads.append(try Sample.measure(events: events) { try loops.decodeAndCount(events, threads: 2) })
      project.append(try Sample.measure(events: events) { try loops.project(events) })
    }
    return [
      Row("touch every byte in memory", rate: touch), Row("generate + encode", rate: encode),
      Row("decode", rate: decode), Row("decode + metrics, one thread", rate: metrics),
      Row("decode + metrics, two threads", rate: twoThreads),
      Row("decode + inventory events", rate: project),
    ]
  }
}
