import Foundation
import GRDB
import OrderStreamCore

/// Turns errors of SQLite, GRDB and the operating system into `BrokerError`. The only place that knows their codes.
enum StorageErrors {
  static let diskFullRemedy = "make room on the disk: the log is intact"

  /// - Parameter directory: of the log, where its segments are worked on.
  static func broker(_ error: any Error, _ what: String, _ directory: LogDirectory? = nil) -> BrokerError {
    switch error {
    case let error as BrokerError: error
    case let error as SegmentFault:
      error.damaged(directory ?? LogDirectory(path: "the log"))
    case let error as DatabaseError: database(error, what)
    case let error as ErrorNumber: system(error, what)
    default: BrokerError(.internalError, what, why: words(error))
    }
  }

  static func database(_ error: DatabaseError, _ what: String) -> BrokerError {
    if error.resultCode == .SQLITE_CANTOPEN, let missing = missingDescriptors { return system(missing, what) }
    let why = "\(error.message ?? "no reason given") (SQLite \(error.extendedResultCode.rawValue))"
    switch error.resultCode {
    case .SQLITE_FULL:
      return BrokerError(.diskFull, what, why: why, remedy: diskFullRemedy)
    case .SQLITE_CORRUPT, .SQLITE_NOTADB:
      return BrokerError(.damaged, what, why: "the log's file is damaged: \(why)", remedy: "restore it from a copy")
    case .SQLITE_CONSTRAINT:
      // What is added is looked for before.
      return BrokerError(
        .damaged, what, why: "a row is there that must not be: the log was altered (\(why))",
        remedy: "restore it from a copy")
    case .SQLITE_IOERR:
      return BrokerError(.io, what, why: why, remedy: "check the disk and the file system")
    case .SQLITE_BUSY, .SQLITE_LOCKED:
      return BrokerError(.busy, what, why: why, remedy: "try again", recovery: .retry)
    case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
      return BrokerError(.io, what, why: why, remedy: "check that the directory and its files can be written")
    case .SQLITE_NOMEM:
      return BrokerError(
        .io, what, why: why, remedy: "free some memory, or raise the limit of this process (ulimit -v)")
    default:
      return BrokerError(.internalError, what, why: why)
    }
  }

  /// Of a log that cannot be opened.
  /// - Parameters:
  ///   - isNew: There was no database before.
  ///   - hasMarks: The outside mark names records.
  static func opening(
    _ error: any Error, _ what: String, _ directory: LogDirectory, isNew: Bool, hasMarks: Bool
  ) -> BrokerError {
    guard let error = error as? DatabaseError else { return broker(error, what) }
    if error.resultCode == .SQLITE_CANTOPEN, let missing = missingDescriptors { return system(missing, what) }
    switch error.resultCode {
    case .SQLITE_NOTADB:
      if hasMarks { return broker(error, what) }
      return LogSchema.foreign(directory.path, why: "\(directory.database) is not an SQLite database")
    case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM:
      if isNew {
        return BrokerError(
          .cannotCreate, what, why: error.message ?? "it cannot be written",
          remedy: "name a directory that can be written with --brokers embedded:<directory>")
      }
      fallthrough
    default:
      return broker(error, what)
    }
  }

  /// SQLite does not say that it found no free descriptor.
  private static var missingDescriptors: ErrorNumber? {
    do throws(ErrorNumber) {
      try OpenDatabases.checkRoom()
      return nil
    } catch {
      return [EMFILE, ENFILE].contains(error.code) ? error : nil
    }
  }

  static func system(_ error: ErrorNumber, _ what: String) -> BrokerError {
    switch error.code {
    case ENOSPC, EDQUOT: BrokerError(.diskFull, what, why: error.words, remedy: diskFullRemedy)
    case EACCES, EPERM, EROFS, ENOENT, ENOTDIR, EISDIR:
      BrokerError(
        .cannotCreate, what, why: error.words, remedy: "check that the directory and its files can be written")
    case EMFILE, ENFILE: BrokerError(.io, what, why: error.words, remedy: "raise the limit of open files (ulimit -n)")
    default: BrokerError(.io, what, why: error.words, remedy: "check the disk and the file system")
    }
  }

  /// A row whose checksum does not fit, a batch that is missing, a log that lost its tail.
  static func damaged(_ coordinates: String, why: String) -> BrokerError {
    BrokerError(
      .damaged, "cannot read \(coordinates)", why: why,
      remedy: "restore the log directory from a copy, or delete it and produce again")
  }

  /// One line about an error of Foundation, without its domain and user info.
  static func words(_ error: any Error) -> String {
    if let code = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError, code.domain == NSPOSIXErrorDomain {
      return ErrorNumber(code: Int32(code.code)).words
    }
    return (error as NSError).localizedDescription
  }
}
