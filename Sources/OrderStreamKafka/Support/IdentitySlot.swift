#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif
import OrderStreamCore
import Synchronization

/// Who a member of a group is over restarts: the lowest number that no other process of this machine holds for the same
/// cluster and group. Holding is an `flock` on a file, which the kernel gives back on any death. With the same identity
/// a restarted member takes its partitions and its open transaction over at once, instead of waiting for time-outs.
final class IdentitySlot: Sendable {
  /// Members of one group on one machine.
  private static let slotLimit = 256

  /// `transactional.id` and `group.instance.id`.
  let identity: String
  /// Whether a restart will have the same one.
  let isStable: Bool
  private let path: String
  private let descriptor: Mutex<Int32>

  /// Takes the lowest free slot, or a random one where no lock can be had.
  init(group: String, clusterID: String, directory: String) {
    let machine = Self.hash([Self.hostName, Self.machineID, String(geteuid())])
    let scope = Self.hash([clusterID, group])
    if Self.prepare(directory) {
      for slot in 0..<Self.slotLimit {
        let path = "\(directory)/\(scope)-\(slot).lock"
        guard let descriptor = Self.lock(path) else { break }
        if descriptor < 0 { continue }
        identity = "\(group)-\(machine)-\(slot)"
        isStable = true
        self.path = path
        self.descriptor = Mutex(descriptor)
        return
      }
    }
    identity = "\(group)-\(machine)-r\(Self.hex(UInt64.random(in: 0...UInt64.max)))"
    isStable = false
    path = ""
    descriptor = Mutex(-1)
  }

  deinit { release() }

  /// Gives the slot back before its holder goes. Idempotent.
  func release() {
    descriptor.withLock { descriptor in
      guard descriptor >= 0 else { return }
      // While the lock is held, so that nobody else can have it: private groups would leave a file each.
      unlink(path)
      _ = Self.closeFile(descriptor)
      descriptor = -1
    }
  }

  static var defaultDirectory: String { "/tmp/orderstream-\(geteuid())" }

  /// Makes the directory, and trusts it only when nobody else can write to it.
  private static func prepare(_ directory: String) -> Bool {
    _ = mkdir(directory, 0o700)
    var status = stat()
    guard lstat(directory, &status) == 0 else { return false }
    return status.st_mode & S_IFMT == S_IFDIR && status.st_uid == geteuid() && status.st_mode & 0o022 == 0
  }

  /// The descriptor of a locked file, −1 when somebody else holds it, `nil` when there can be no such file.
  private static func lock(_ path: String) -> Int32? {
    while true {
      let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
      if descriptor < 0 { return nil }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        _ = closeFile(descriptor)
        return -1
      }
      // The last holder may have removed the file between the two calls; then the lock is on nothing.
      var status = stat()
      if fstat(descriptor, &status) == 0 && status.st_nlink > 0 { return descriptor }
      _ = closeFile(descriptor)
    }
  }

  private static func closeFile(_ descriptor: Int32) -> Int32 { close(descriptor) }

  private static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    return gethostname(&name, name.count - 1) == 0
      ? name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) } : ""
  }

  /// What tells machines of the same name apart, where the system has it.
  private static var machineID: String {
    let descriptor = open("/etc/machine-id", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { _ = closeFile(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(descriptor, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }

  /// FNV-1a over the parts, each ended by a byte that no part has.
  private static func hash(_ parts: [String]) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for part in parts {
      for byte in Array(part.utf8) + [0xff] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
    return hex(hash)
  }

  private static func hex(_ value: UInt64) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }
}
