import OrderStreamCore
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Who a member of a group is over restarts: the lowest number that no other process of this machine holds for the same
/// cluster and group. Holding is an `flock` on a file, which the kernel gives back on any death. With the same identity
/// a restarted member takes its partitions and its open transaction over at once, instead of waiting for time-outs.
///
/// The file holds a random mark that is part of the identity. So two holders never have the same one, whatever made their
/// locks differ: machines or containers of one name with directories of their own, or a cleaner that removed the file of
/// a living holder. A file is removed by a holder that ends in order; the next one then is somebody new, for whom nothing
/// was left behind.
///
/// An instance has its name in place of a number and a mark, so its identity is the same on every machine, and the lock
/// keeps it to one process of this one only: `KafkaConsumer` looks at the group for the others.
final class IdentitySlot: Sendable {
  /// Members of one group on one machine.
  private static let slotLimit = 256

  /// `transactional.id` and `group.instance.id`.
  let identity: String
  /// Whether a restart will have the same one.
  let isStable: Bool
  private let path: String
  private let descriptor: Mutex<Int32>

  /// Takes the lowest free slot, or a random one where no lock file can be taken.
  convenience init(group: String, clusterID: String, directory: String) {
    let scope = Self.scope(group, clusterID)
    if Self.prepare(directory) {
      for slot in 0..<Self.slotLimit {
        let path = "\(directory)/\(scope)-\(slot).lock"
        guard let descriptor = Self.lock(path) else { break }
        if descriptor < 0 { continue }
        let mark = Self.mark(descriptor)
        self.init("\(group)-\(Self.machine(mark))-\(slot)", isStable: true, path, descriptor)
        return
      }
    }
    let random = Self.hex(UInt64.random(in: 0...UInt64.max))
    self.init("\(group)-\(Self.machine(""))-r\(random)", isStable: false, "", -1)
  }

  /// The identities of slots of this machine whose holders have died: their files are there, with a mark, and nobody holds
  /// them. Files stay as they are, for who takes the slot next.
  static func abandoned(group: String, clusterID: String, directory: String, limit: Int) -> [String] {
    files(group, clusterID, directory).filter { !$0.isHeld }.prefix(limit).map(\.identity)
  }

  /// The identities that processes of this machine hold at this moment.
  static func held(group: String, clusterID: String, directory: String) -> Set<String> {
    Set(files(group, clusterID, directory).filter(\.isHeld).map(\.identity))
  }

  /// The lock files of a group, numbered ones and those of instances, each with the identity that its holder has.
  private static func files(
    _ group: String, _ clusterID: String, _ directory: String
  ) -> [(identity: String, isHeld: Bool)] {
    let prefix = scope(group, clusterID) + "-"
    var found: [(identity: String, isHeld: Bool)] = []
    guard let entries = opendir(directory) else { return [] }
    defer { closedir(entries) }
    while let entry = readdir(entries) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: $0.pointee)) { String(cString: $0) }
      }
      guard name.hasPrefix(prefix), name.hasSuffix(".lock") else { continue }
      let place = String(name.dropFirst(prefix.count).dropLast(".lock".count))
      let descriptor = open("\(directory)/\(name)", O_RDWR | O_CLOEXEC | O_NOFOLLOW)
      guard descriptor >= 0 else { continue }
      defer { _ = closeFile(descriptor) }
      let isHeld = flock(descriptor, LOCK_EX | LOCK_NB) != 0
      if place.hasPrefix("i-") {
        found.append((instanceIdentity(String(place.dropFirst(2)), group), isHeld))
      } else if let slot = Int(place) {
        let mark = content(descriptor)
        if mark.utf8.count == markLength { found.append(("\(group)-\(machine(mark))-\(slot)", isHeld)) }
      }
    }
    return found.sorted { $0.identity < $1.identity }
  }

  private static func instanceIdentity(_ instance: String, _ group: String) -> String {
    // Brokers take instance ids of up to 249 characters. The names alone would not tell a-b, c from a, b-c.
    "\("\(group)-\(instance)".prefix(230))-i\(hash([group, instance]))"
  }

  /// Takes the identity of an instance; `nil` when another process of this machine has it.
  convenience init?(instance: String, group: String, clusterID: String, directory: String) {
    let identity = Self.instanceIdentity(instance, group)
    let path = "\(directory)/\(Self.scope(group, clusterID))-i-\(instance).lock"
    let descriptor = Self.prepare(directory) ? Self.lock(path) : nil
    if let descriptor, descriptor < 0 { return nil }
    self.init(identity, isStable: true, path, descriptor ?? -1)
  }

  private init(_ identity: String, isStable: Bool, _ path: String, _ descriptor: Int32) {
    self.identity = identity
    self.isStable = isStable
    self.path = path
    self.descriptor = Mutex(descriptor)
  }

  /// What the last holder of the file wrote into it with `note`, or its mark; empty where there is no file.
  var noted: String { descriptor.withLock { $0 >= 0 ? Self.content($0) : "" } }

  /// Leaves a word for the next holder, in case this one ends without releasing the slot. Only for instances.
  func note(_ text: String) {
    descriptor.withLock { if $0 >= 0 { Self.replaceContent($0, by: text) } }
  }

  /// What a machine, its user and a lock file are told apart by.
  private static func machine(_ mark: String) -> String { hash([hostName, machineID, String(geteuid()), mark]) }

  private static func scope(_ group: String, _ clusterID: String) -> String { hash([clusterID, group]) }

  /// The mark in a locked file, put there when it has none.
  private static func mark(_ descriptor: Int32) -> String {
    let found = content(descriptor)
    if found.utf8.count == markLength { return found }
    let mark = hex(UInt64.random(in: 0...UInt64.max))
    replaceContent(descriptor, by: mark)
    return mark
  }

  private static let markLength = 16
  private static let contentLimit = 1024

  private static func content(_ descriptor: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: contentLimit)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }

  private static func replaceContent(_ descriptor: Int32, by text: String) {
    let bytes = Array(text.utf8)
    guard ftruncate(descriptor, 0) == 0 else { return }
    _ = pwrite(descriptor, bytes, bytes.count, 0)
  }

  deinit { release() }

  /// Gives the slot back before its holder goes. Idempotent.
  func release() {
    descriptor.withLock { descriptor in
      guard descriptor >= 0 else { return }
      // While the lock is held, so that nobody else can have it: private groups would leave a file each. Another file of
      // that name has a holder of its own.
      if Self.isAt(path, descriptor) { unlink(path) }
      _ = Self.closeFile(descriptor)
      descriptor = -1
    }
  }

  /// Lets go of the lock and nothing else: what a death does. For tests.
  func abandon() {
    descriptor.withLock { descriptor in
      if descriptor >= 0 { _ = Self.closeFile(descriptor) }
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
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 || hasBeenLooked(at: descriptor) else {
        _ = closeFile(descriptor)
        return -1
      }
      // The last holder may have removed the file between the two calls; then the lock is on nothing.
      if isAt(path, descriptor) { return descriptor }
      _ = closeFile(descriptor)
    }
  }

  /// Takes a lock after all that was held for no longer than somebody looks who holds which (`files`).
  private static func hasBeenLooked(at descriptor: Int32) -> Bool {
    usleep(2000)
    return flock(descriptor, LOCK_EX | LOCK_NB) == 0
  }

  private static func isAt(_ path: String, _ descriptor: Int32) -> Bool {
    var (own, named) = (stat(), stat())
    return fstat(descriptor, &own) == 0 && lstat(path, &named) == 0 && own.st_dev == named.st_dev
      && own.st_ino == named.st_ino
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

/// Finds the identity of a group's member. An instance (`--instance`) is the same on every machine, and a group lets the
/// later one of two members of one name throw the earlier one out; so the later one looks first, and ends.
enum InstancePlace {
  /// How long the session of a member that died elsewhere may take to end: the default of 6 s, and the broker's delay.
  private static let limit = Duration.seconds(10)
  private static let pause = Duration.milliseconds(250)

  /// - Returns: `nil` for a consumer without a group.
  /// - Throws: `groupActive` when another process is the instance.
  static func slot(of options: ConsumerOptions, _ context: KafkaContext) throws(BrokerError) -> IdentitySlot? {
    guard let group = options.group else { return nil }
    guard case .member = options.membership, let instance = options.instance else {
      return IdentitySlot(group: group, clusterID: context.clusterID, directory: context.lockDirectory)
    }
    guard
      let slot = IdentitySlot(
        instance: instance, group: group, clusterID: context.clusterID, directory: context.lockDirectory)
    else { throw taken(instance, group) }
    var wait = BoundedWait(
      "waiting for an earlier member of the name \(instance) to leave the group \(group)", limit: limit, context)
    while try isTaken(slot, group, context) {
      guard wait.goesOn(pause: pause) else { throw taken(instance, group) }
    }
    return slot
  }

  /// Whether the group has a member of this identity that is not the one that left its id here, which is dead, because
  /// its lock was free.
  private static func isTaken(
    _ slot: IdentitySlot, _ group: String, _ context: KafkaContext
  ) throws(BrokerError) -> Bool {
    let found = try context.ask("cannot look for other members of the group \(group)") { timeout throws(NativeError) in
      try context.lookup.groups(group, timeout)
    }
    let dead = slot.noted
    return found.contains { $0.members.contains { $0.isInstance(slot.identity) && $0.id != dead } }
  }

  private static func taken(_ instance: String, _ group: String) -> BrokerError {
    BrokerError(
      .groupActive, "cannot join the group \(group) as \(instance)",
      why: "another process is the member with that name",
      remedy: "give each member a name of its own with --instance, or stop the other one first", recovery: .none)
  }
}
