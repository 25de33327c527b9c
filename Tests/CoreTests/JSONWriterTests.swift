import Foundation
import OrderStreamCore
import Testing

@Suite struct JSONWriterTests {
  private func written(_ write: (inout JSONWriter) -> Void) -> String {
    let buffer = ByteBuffer()
    var json = JSONWriter(buffer)
    write(&json)
    return String(decoding: buffer.bytes, as: UTF8.self)
  }

  @Test func commasAndColonsComeByThemselves() {
    let text = written { json in
      json.beginObject()
      json.key("a")
      json.beginArray()
      for value in [1, -2, 0] { json.integer(value) }
      json.beginObject()
      json.endObject()
      json.beginArray()
      json.endArray()
      json.endArray()
      json.key("b")
      json.null()
      json.key("c")
      json.bool(true)
      json.key("d")
      json.raw(#"{"x":1}"#)
      json.key("e")
      json.string("é\n")
      json.endObject()
    }
    #expect(text == #"{"a":[1,-2,0,{},[]],"b":null,"c":true,"d":{"x":1},"e":"é\n"}"#)
  }

  @Test(arguments: [
    (0, "0.0"), (1000, "10.0"), (425, "4.25"), (350, "3.5"), (5, "0.05"), (50, "0.5"), (512, "5.12"), (-425, "-4.25"),
    (-5, "-0.05"), (10_000, "100.0"), (142_857, "1428.57"), (Int64.max, "92233720368547758.07"),
    (Int64.min, "-92233720368547758.08"),
  ])
  func hundredthsPrintAsMoney(value: Int64, text: String) {
    #expect(written { $0.hundredths(value) } == text)
  }

  @Test func integersOfEveryWidthPrintAsSwiftPrintsThem() {
    var values: [Int64] = [.min, .max, 0]
    var power: Int64 = 1
    for _ in 0..<18 {
      power *= 10
      values += [power, power - 1, power + 1, -power]
    }
    for value in values { #expect(written { $0.integer(value) } == String(value)) }
    #expect(written { $0.integer(UInt64.max) } == "18446744073709551615")
    #expect(written { $0.integer(Int8.min) } == "-128")
  }

  @Test func everyStringComesBackFromFoundation() throws {
    var random = SeededRandom(seed: 11)
    for length in 0..<400 {
      var text = ""
      for _ in 0..<length / 4 {
        let limit = [0x30, 0x80, 0x800, 0x11_0000][Int(random.below(4))] as UInt64
        if let scalar = Unicode.Scalar(UInt32(random.below(limit))) { text.unicodeScalars.append(scalar) }
      }
      let json = written { json in
        json.beginObject()
        json.key(text)
        json.string(text)
        json.endObject()
      }
      let object = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: String]
      #expect(object.map { Array($0.keys) + Array($0.values) } == [text, text], "\(json)")
      // Nothing is escaped that need not be.
      if text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0 != "\"" && $0 != "\\" }) {
        #expect(json == "{\"\(text)\":\"\(text)\"}")
      }
    }
  }

  @Test func invalidUTF8BecomesTheReplacementCharacter() throws {
    var random = SeededRandom(seed: 12)
    for _ in 0..<2000 {
      let bytes = (0..<random.below(12)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      let json = written { json in
        json.beginArray()
        bytes.withUnsafeBytes { json.string($0) }
        json.endArray()
      }
      let array = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String]
      #expect(array == [String(decoding: bytes, as: UTF8.self)])
    }
  }

  @Test func everyControlCharacterHasItsShortestEscape() {
    let text = String(
      String.UnicodeScalarView((0..<0x20).compactMap(Unicode.Scalar.init as (UInt32) -> Unicode.Scalar?)))
    let names = [8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"]
    let expected = (0..<0x20).map { names[$0] ?? ("\\u00" + ($0 < 16 ? "0" : "") + String($0, radix: 16)) }.joined()
    #expect(written { $0.string(text) } == "\"\(expected)\"")
    #expect(written { $0.string("/\u{7f}\u{2028}") } == "\"/\u{7f}\u{2028}\"")
  }
}
