import Testing

@testable import orderstream

@Suite("Kinds of files that are not JSON lines")
struct ForeignFormatTests {
  @Test(
    arguments: [
      ([0x1F, 0x8B, 8, 0], "gzip -dc f"), ([0x28, 0xB5, 0x2F, 0xFD], "zstd -dc f"),
      ([0x42, 0x5A, 0x68, 0x39], "bzip2 -dc f"),
      ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0], "xz -dc f"), ([0xFF, 0xFE, 0x7B, 0], "iconv -f UTF-16 -t UTF-8 f"),
      ([0x7B, 0, 0x22, 0], "iconv -f UTF-16LE -t UTF-8 f"), ([0, 0x7B, 0, 0x22], "iconv -f UTF-16BE -t UTF-8 f"),
    ] as [([UInt8], String)])
  func aFileIsKnownByItsFirstBytes(head: [UInt8], converter: String) {
    #expect(ForeignFormat(head)?.command(for: "f") == "\(converter) | orderstream produce --input -")
  }

  @Test(arguments: ["", "{\"a\":1,\"b\":2}", "word", "\u{1}\u{2},\u{3}"])
  func whatTellsNothingIsNotGuessed(text: String) { #expect(ForeignFormat(Array(text.utf8)) == nil) }

  @Test func aPathIsQuotedForTheShell() throws {
    let format = try #require(ForeignFormat([0x1F, 0x8B]))
    #expect(format.command(for: "it's here.gz").hasPrefix(#"gzip -dc 'it'\''s here.gz' |"#))
    #expect(format.command(for: "-x.gz").hasPrefix("gzip -dc ./"))
    #expect(format.command(for: "-").hasPrefix("… | gzip -dc |"))
  }
}
