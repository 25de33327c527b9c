import Foundation

/// A mutex with two conditions: the worker behind it waits for work, everybody else for what the worker has done.
/// Timed waits use a clock that never jumps.
final class Monitor: @unchecked Sendable {
  // The three members are made for use from several threads, never move, and live as long as this object.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let work = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let progress = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    pthread_mutex_init(mutex, nil)
    for condition in [work, progress] {
      #if canImport(Darwin)
        pthread_cond_init(condition, nil)
      #else
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
      #endif
    }
  }

  deinit {
    for condition in [work, progress] {
      pthread_cond_destroy(condition)
      condition.deallocate()
    }
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  @inline(__always)
  func lock() { pthread_mutex_lock(mutex) }

  @inline(__always)
  func unlock() { pthread_mutex_unlock(mutex) }

  func locked<T, E: Error>(_ body: () throws(E) -> T) throws(E) -> T {
    lock()
    defer { unlock() }
    return try body()
  }

  // All below: only while locked.

  func signalWork() { pthread_cond_signal(work) }
  func signalProgress() { pthread_cond_broadcast(progress) }
  /// - Parameter deadline: nanoseconds of `MachineClock`; `nil` waits until there is a signal.
  func waitForWork(until deadline: Int64?) { wait(work, until: deadline) }
  func waitForProgress(until deadline: Int64?) { wait(progress, until: deadline) }

  private func wait(_ condition: UnsafeMutablePointer<pthread_cond_t>, until deadline: Int64?) {
    guard let deadline else {
      pthread_cond_wait(condition, mutex)
      return
    }
    #if canImport(Darwin)
      let rest = max(0, deadline - MachineClock.nanoseconds)
      var time = timespec(tv_sec: Int(rest / 1_000_000_000), tv_nsec: Int(rest % 1_000_000_000))
      pthread_cond_timedwait_relative_np(condition, mutex, &time)
    #else
      var time = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
      pthread_cond_timedwait(condition, mutex, &time)
    #endif
  }
}
