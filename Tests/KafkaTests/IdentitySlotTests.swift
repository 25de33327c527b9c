import OrderStreamCore
import Testing

@testable import OrderStreamKafka

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

struct IdentitySlotTests {
  private let directory = "/tmp/orderstream-slots-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"

  private func slot(_ group: String = "g", cluster: String = "c") -> IdentitySlot {
    IdentitySlot(group: group, clusterID: cluster, directory: directory)
  }

  @Test("members of a group on one machine are numbered, and a number is free again when its holder is gone")
  func numbers() {
    var first: IdentitySlot? = slot()
    let second = slot()
    let name = first!.identity
    #expect(name.hasPrefix("g-") && name.hasSuffix("-0") && second.identity.hasSuffix("-1"))
    #expect(first!.isStable)
    first = nil
    #expect(slot().identity == name)
    #expect(slot("h").identity.hasSuffix("-0"))
    withExtendedLifetime(second) {}
  }

  @Test("a slot that is given back leaves no file")
  func noFile() {
    var holder: IdentitySlot? = slot("private-group")
    let before = files()
    holder?.release()
    holder = nil
    #expect(before.count == 1 && files().isEmpty)
  }

  private func files() -> [String] {
    guard let open = opendir(directory) else { return [] }
    defer { closedir(open) }
    var names: [String] = []
    while let entry = readdir(open) {
      names.append(withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
    }
    return names.filter { $0.hasSuffix(".lock") }
  }

  @Test("the same group on another cluster has numbers of its own")
  func clusters() {
    let here = slot()
    let there = slot(cluster: "d")
    #expect(here.identity == there.identity)
  }

  @Test("a directory that others can write to is not trusted; the identity is random then")
  func untrusted() {
    mkdir(directory, 0o777)
    chmod(directory, 0o777)
    let first = slot()
    let second = slot()
    #expect(!first.isStable && first.identity != second.identity)
    let nowhere = IdentitySlot(group: "g", clusterID: "c", directory: "/proc/no/such/place")
    #expect(!nowhere.isStable)
  }
}
