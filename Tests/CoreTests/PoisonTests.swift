import OrderStreamCore
import Testing

@Suite struct PoisonTests {
  static let valid = OrderText().json

  @Test func aTombstoneAndAnEmptyValueDiffer() {
    #expect(Decoded(nil as [UInt8]?) == .poison(.tombstone))
    #expect(Decoded([]) == .poison(.emptyValue))
    #expect(OrderDecoder().decode(UnsafeRawBufferPointer(start: nil, count: 0)) == .emptyValue)
  }

  @Test func theExampleOfTheDocumentationIsAnOrder() {
    let order = Decoded(Self.valid).order
    #expect(
      order
        == .init(
          isFailed: false, minute: 28_421_910, orderID: "order_000001", timestamp: "2024-01-15T10:30:00",
          itemIDs: ["burger"], quantities: [2]))
  }

  @Test(arguments: [
    " ", "{", "}", "[", "{]", "[}", "nul", "truex", "{'a':1}", "{\"a\"}", "{\"a\" 1}", "{\"a\":}", "{\"a\":1,}", "[1,]",
    "[,1]",
    "[1 2]", "{1:2}", "/**/{}", "[01]", "[1.]", "[.5]", "[+1]", "[1e]", "[-]", "[NaN]", "[Infinity]", "[0x10]", "[1a]",
    "[--1]",
    #"["\x"]"#, #"["\u00g0"]"#, #"["\u12"#, #"["\"#, #"["a"#, "[\"a\tb\"]", "[\"a\u{0}b\"]", "[\"\u{1f}\"]", "\u{b}{}",
    "{\"a\":1",
    "[\"a\"\"b\"]", "\u{a0}{}", #"{"a":"b" "c":1}"#, "order_000001",
  ])
  func whatNoReaderAcceptsIsNotJSON(text: String) {
    #expect(Decoded(text).code == "not-json")
  }

  @Test(arguments: ["x", "{}", "\n{}", ",", "}", "]", "\"", "\u{0}", "\u{c}", " 1", "/**/", "\u{a0}"])
  func onlyWhiteSpaceMayFollow(trailer: String) {
    #expect(Decoded(Self.valid + trailer).code == "trailing-bytes")
    #expect(Decoded(Self.valid + " \t\r\n").order != nil)
    #expect(Decoded(" \t\r\n" + Self.valid).order != nil)
  }

  @Test func otherEncodingsAreNamed() {
    let order = Array(Self.valid.utf8)
    #expect(Decoded([0xef, 0xbb, 0xbf] + order).code == "encoding")
    for isBigEndian in [true, false] {
      let wide: [UInt8] = order.flatMap { isBigEndian ? [0, $0] as [UInt8] : [$0, 0] }
      let wider: [UInt8] = order.flatMap { isBigEndian ? [0, 0, 0, $0] as [UInt8] : [$0, 0, 0, 0] }
      #expect(Decoded(wide).code == "encoding")
      #expect(Decoded(wider).code == "encoding")
      #expect(Decoded((isBigEndian ? [0xfe, 0xff] : [0xff, 0xfe]) + wide).code == "encoding")
      #expect(Decoded((isBigEndian ? [0, 0, 0xfe, 0xff] : [0xff, 0xfe, 0, 0]) + wider).code == "encoding")
    }
  }

  @Test(arguments: [
    [0xff], [0x80], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xed, 0xb0, 0x80], [0xf4, 0x90, 0x80, 0x80],
    [0xf5, 0x80, 0x80, 0x80],
    [0xe2, 0x82], [0xc3],
  ])
  func badUTF8IsFoundAnywhere(bytes: [Int]) {
    let bad = bytes.map(UInt8.init)
    #expect(Decoded(Array(#"{"a":""#.utf8) + bad + Array(#""}"#.utf8)).code == "invalid-utf8")
    #expect(Decoded(Array(#"{""#.utf8) + bad + Array(#"":1}"#.utf8)).code == "invalid-utf8")
    #expect(Decoded(Array(Self.valid.utf8) + bad).code == "invalid-utf8")
    #expect(Decoded(Array("{".utf8) + bad + Array(Self.valid.utf8)).code == "invalid-utf8")
  }

  @Test(arguments: [
    #"\udc00"#, #"\ud800"#, #"\uDBFF"#, #"\ud800x"#, #"\ud800\n"#, #"\ud800\u0041"#, #"\ud800\ud800"#, #"\ude00\ud83d"#,
    #"\ud83d\ude00\udfff"#,
  ])
  func aLoneSurrogateIsPoisonInValuesAndKeys(text: String) {
    #expect(Decoded(OrderText.with(extra: #""note":"\#(text)""#)).code == "lone-surrogate")
    #expect(Decoded(OrderText.with(extra: #""\#(text)":1"#)).code == "lone-surrogate")
    #expect(Decoded(OrderText.with { $0.orderID = #""\#(text)""# }).code == "lone-surrogate")
  }

  @Test func anEscapedPairIsOneCharacter() {
    #expect(Decoded(OrderText.with { $0.orderID = #""\ud83d\uDE00""# }).order?.orderID == "😀")
  }

  @Test(arguments: [
    "18446744073709551616", "-9223372036854775809", "1000000000000000000000000", "1e309", "-1e309", "1e400",
    "1e99999999999999999999999", "1.7976931348623159e308",
  ])
  func aNumberOutOfRangeIsPoisonEverywhere(number: String) {
    #expect(Decoded(OrderText.with(extra: #""note":[\#(number)]"#)).code == "number-range")
    #expect(Decoded(OrderText.with { $0.total = number }).code == "number-range")
    #expect(Decoded(OrderText.with(item: #"{"item_id":"a","quantity":\#(number),"price":1}"#)).code == "number-range")
  }

  @Test(arguments: [
    "9223372036854775808", "18446744073709551615", "-9223372036854775808", "1e308", "1.7976931348623158e308", "1e-400",
    "0e99999", "1e-99999999999999999999999", "1000000000000000000000000.0", "-0", "-0.0", "0.1e1", "1E+2",
  ])
  func aNumberInRangeIsFineEverywhere(number: String) {
    #expect(Decoded(OrderText.with(extra: #""note":[\#(number)]"#)).order != nil)
    if !number.hasPrefix("-9") { #expect(Decoded(OrderText.with { $0.total = number }).order != nil) }
  }

  @Test func nestingEndsAt512() {
    for (open, close) in [("[", "]"), (#"{"a":"#, "}")] {
      for inner in ["1", "[]", "{}"] {
        // The order itself is one level, and an empty container another.
        let fitting = inner == "1" ? 511 : 510
        for depth in [fitting, fitting + 1, 3000] {
          let nested = String(repeating: open, count: depth) + inner + String(repeating: close, count: depth)
          let decoded = Decoded(OrderText.with(extra: #""deep":\#(nested)"#))
          if depth == fitting { #expect(decoded.order != nil) } else { #expect(decoded.code == "nesting") }
        }
      }
    }
    #expect(Decoded(String(repeating: "[", count: 513)).code == "nesting")
    #expect(Decoded(String(repeating: "[", count: 512)).code == "not-json")
    #expect(Decoded(String(repeating: "[", count: 900_000)).code == "nesting")
  }

  @Test func aMegabyteIsAMillionBytes() {
    let decoder = OrderDecoder()
    for (length, fits) in [(999_999, true), (1_000_000, true), (1_000_001, false)] {
      let empty = OrderText.with(extra: #""note":"""#)
      let note = String(repeating: "n", count: length - empty.utf8.count)
      let bytes = Array(OrderText.with(extra: #""note":"\#(note)""#).utf8)
      #expect(bytes.count == length)
      #expect(Decoded(bytes, with: decoder).code == (fits ? nil : "too-long"))
      let space = [UInt8](repeating: 0x20, count: length - Self.valid.utf8.count)
      #expect(Decoded(space + Array(Self.valid.utf8), with: decoder).code == (fits ? nil : "too-long"))
    }
    // Small orders are still read, before and after the decoder gives its memory back.
    for _ in 0..<1010 { #expect(Decoded(Array(Self.valid.utf8), with: decoder).order != nil) }
  }

  @Test(arguments: ["[]", "1", "\"a\"", "null", "true", "-0.5e3", "[\(valid)]"])
  func onlyAnObjectIsAnOrder(text: String) { #expect(Decoded(text).code == "not-an-object") }
}
