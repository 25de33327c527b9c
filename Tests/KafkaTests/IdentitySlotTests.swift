import Foundation
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
    #expect(slot().identity.hasSuffix("-0"))
    #expect(slot("h").identity.hasSuffix("-0"))
    withExtendedLifetime(second) {}
  }

  @Test("whoever takes the slot of a holder that was killed has its identity; after one that ended it has another")
  func restart() throws {
    let first = slot()
    let name = first.identity
    first.abandon()
    let second = slot()
    #expect(second.identity == name)
    second.release()
    #expect(slot().identity != name)
  }

  @Test("Identities differ whenever the locks do: in directories of their own, and where a cleaner removed a file")
  func differentLocks() throws {
    // Two containers of one host name, with a private /tmp each.
    let elsewhere = directory + "-elsewhere"
    let here = slot()
    let there = IdentitySlot(group: "g", clusterID: "c", directory: elsewhere)
    #expect(here.identity != there.identity && here.identity.hasSuffix("-0") && there.identity.hasSuffix("-0"))
    let file = try #require(files().first)
    unlink("\(directory)/\(file)")
    let later = slot()
    #expect(later.identity.hasSuffix("-0") && later.identity != here.identity)
    // The first one leaves the file of the second alone.
    here.release()
    #expect(files().count == 1 && slot().identity.hasSuffix("-1"))
    // An old or a damaged file says nothing; what is put there is kept.
    later.release()
    try Data("x".utf8).write(to: URL(fileURLWithPath: "\(directory)/\(file)"))
    #expect(slot().identity != here.identity)
  }

  @Test("an instance has one identity everywhere, fits a broker's limit, and is one process of a machine")
  func instances() throws {
    func instance(_ name: String, group: String = "g", _ directory: String) -> IdentitySlot? {
      IdentitySlot(instance: name, group: group, clusterID: "c", directory: directory)
    }
    let first = try #require(instance("pod-1", directory))
    #expect(first.isStable && instance("pod-1", directory) == nil)
    #expect(instance("pod-1", directory + "-elsewhere")?.identity == first.identity)
    #expect(instance("pod-1", "/proc/no/such/place")?.identity == first.identity)
    #expect(instance("b-c", group: "a", directory)?.identity != instance("c", group: "a-b", directory)?.identity)
    let long = String(repeating: "n", count: 200)
    let identity = try #require(instance(long, group: long, directory)?.identity)
    #expect(identity.utf8.count <= 249 && identity != instance(long + "x", group: long, directory)?.identity)
    first.note("its id")
    first.release()
    let second = try #require(instance("pod-1", directory))
    #expect(second.identity == first.identity && second.noted.isEmpty, "released in order: nothing is left")
    second.note("its longer id")
    second.note("its id")
    second.abandon()
    let third = try #require(instance("pod-1", directory))
    #expect(third.identity == first.identity && third.noted == "its id")
    // "0" is a name, too, and no number.
    let numbered = slot()
    #expect(instance("0", directory) != nil)
    withExtendedLifetime((third, numbered)) {}
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
    #expect(here.identity.hasSuffix("-0") && there.identity.hasSuffix("-0"))
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
