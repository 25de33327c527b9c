import Foundation
import OrderStreamTestSupport
import Testing

@testable import OrderStreamCore

@Suite struct LineTests {
  @Test("The first line in which two reports differ is named")
  func difference() {
    #expect(LineDifference("", "") == nil && LineDifference("a\nb\n", "a\nb\n") == nil)
    func description(_ left: String, _ right: String) -> String? { LineDifference(left, right)?.description }
    #expect(description("a\nb\n", "a\nc\n") == #"line 2: first "b", after the replay "c""#)
    #expect(description("a\n", "a\nb\n") == #"line 2: first "", after the replay "b""#)
    #expect(description("a\nb", "a") == #"line 2: first "b", after the replay nothing"#)
    #expect(description("a", "a\n") == #"line 2: first nothing, after the replay """#)
    #expect(description("", "x") == #"line 1: first "", after the replay "x""#)
  }

  /// One record as its line, read again.
  private func line(_ record: TestRecord) throws -> [String: Any] {
    let buffer = ByteBuffer()
    let records = batch([record])
    RecordLine(topic: "t").append(records[0], to: buffer)
    #expect(!buffer.bytes.contains { $0 == 0x0A || $0 == 0x0D }, "one line")
    #expect(Schemas.shared.problems(of: buffer.bytes) == [])
    return try #require(try JSONSerialization.jsonObject(with: Data(buffer.bytes)) as? [String: Any])
  }

  @Test("A record is one line with its coordinates, key and headers")
  func frame() throws {
    let headers = [
      TestRecord.Header("a", Array("\"1\n".utf8)), TestRecord.Header("a", nil), TestRecord.Header("", []),
      TestRecord.Header("binary", [0xFF]),
    ]
    let document = try line(
      TestRecord(partition: 3, offset: 1047, timestampMs: -1, key: "k\t", value: "v", headers: headers))
    #expect(document["topic"] as? String == "t" && document["partition"] as? Int == 3)
    #expect(document["offset"] as? Int == 1047 && document["timestamp_ms"] as? Int == -1)
    #expect(document["key"] as? String == "k\t")
    let found = try #require(document["headers"] as? [[Any]])
    #expect(found.map { $0[0] as? String } == ["a", "a", "", "binary"])
    #expect(found.map { $0[1] as? String } == ["\"1\n", nil, "", "/w=="])
    #expect(found.map(\.count) == [2, 2, 2, 3] && found[3][2] as? String == "base64")
    #expect(document["key_encoding"] as? String == "text")
    let bare = try line(TestRecord(value: nil))
    #expect(bare["key"] is NSNull && bare["key_encoding"] is NSNull)
    #expect((bare["headers"] as? [Any])?.isEmpty == true)
    #expect(
      Set(bare.keys)
        == ["topic", "partition", "offset", "timestamp_ms", "key", "key_encoding", "headers", "value", "encoding"])
  }

  @Test("Two keys, or two values of a header, that differ in one byte do not print alike, text or not")
  func binaryKeys() throws {
    let keys: [[UInt8]?] = [[0xFE], [0xFF], [], nil, [0xC3, 0x28], [0xED, 0xA0, 0x80], Array("/w==".utf8), [0]]
    var shown: Set<String> = []
    for key in keys {
      var record = TestRecord(value: "v", headers: [TestRecord.Header("h", key)])
      record.key = key
      let document = try line(record)
      let header = try #require((document["headers"] as? [[Any]])?.first)
      let encoding = document["key_encoding"] as? String
      shown.insert("\(document["key"] as? String ?? "-")|\(encoding ?? "-")")
      // The bytes come back.
      let text = document["key"] as? String
      let bytes = encoding == "base64" ? text.flatMap { Data(base64Encoded: $0) } : text.map { Data($0.utf8) }
      #expect(bytes == key.map { Data($0) })
      #expect(header[1] as? String == text && header.count == (encoding == "base64" ? 3 : 2))
      if header.count == 3 { #expect(header[2] as? String == "base64") }
    }
    #expect(shown.count == keys.count)
  }

  @Test("A value is shown in the plainest form that keeps it whole")
  func values() throws {
    let texts: [(String, String)] = [
      (OrderText().json, "json"), ("{ \"a\" :\r\n[1,\n2]}", "json"), ("null", "json"), ("12.50", "json"),
      ("\"x\"", "json"), ("[]", "json"), ("{\"status\":1}", "json"), ("plain text\nwith lines", "text"), ("", "text"),
      ("{", "text"), ("{} {}", "text"), ("\"\\ud800\"", "text"), ("1e999", "text"),
    ]
    for (text, encoding) in texts {
      let document = try line(TestRecord(value: text))
      #expect(document["encoding"] as? String == encoding, "\(text)")
      if encoding == "text" {
        #expect(document["value"] as? String == text)
      } else {
        let expected = try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
        #expect((document["value"] as? NSObject) == (expected as? NSObject), "\(text)")
      }
    }
    // Foundation drops the mark when it reads the string back.
    #expect(try line(TestRecord(value: "\u{FEFF}{}"))["encoding"] as? String == "text")
    let tombstone = try line(TestRecord(value: nil))
    #expect(tombstone["value"] is NSNull && tombstone["encoding"] as? String == "tombstone")
  }

  @Test("JSON keeps its own text, but for line feeds between tokens")
  func ownText() {
    let buffer = ByteBuffer()
    let records = batch([TestRecord(value: "{\n\"b\" : 1.50,\r\n\"a\":\"\\u0041\\n\"}")])
    RecordLine(topic: "t").append(records[0], to: buffer)
    let text = String(decoding: buffer.bytes, as: UTF8.self)
    #expect(text.contains(#""value":{ "b" : 1.50,  "a":"\u0041\n"},"encoding":"json"}"#))
  }

  @Test("Binary values are base64 as Foundation writes it")
  func base64() throws {
    var random = SeededRandom(seed: 3)
    for length in 0..<70 {
      let bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      #expect(bytes.withUnsafeBytes(Base64.encode) == Data(bytes).base64EncodedString(), "length \(length), seed 3")
    }
    var record = TestRecord(value: "")
    record.value = [0xFF, 0x00, 0x80]
    let document = try line(record)
    #expect(document["value"] as? String == "/wCA" && document["encoding"] as? String == "base64")
  }
}
