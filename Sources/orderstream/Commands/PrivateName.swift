import OrderStreamCore

/// Names of topics and groups that a run makes for itself.
enum PrivateName {
  /// Ten characters that no other run has, from the system's random numbers.
  static func random() -> String {
    let digits = String(UInt64.random(in: .min ... .max), radix: 36)
    return String((String(repeating: "0", count: 10) + digits).suffix(10))
  }
}

extension CommandContext {
  /// Removes what a run has made for itself. Each thing is tried; what stays is named with the command that removes it.
  /// The run's exit code stays too: what it claims holds.
  func removeTraces(group: String, topic: String? = nil, _ admin: any Admin) {
    func attempt(_ what: String, _ option: String, _ change: AdminChange) -> Bool {
      do throws(BrokerError) {
        try admin.apply(change)
      } catch  where error.code == .unknownTopic {
        // It was never made.
      } catch {
        let config = options.configFile.map { " --config \($0)" } ?? ""
        console.warning(
          "the \(what) is left over: \(error.why); remove it with: orderstream delete --brokers \(options.brokers)"
            + "\(config) \(option) --execute")
        return false
      }
      return true
    }
    let groupOption = "--group \(group)"
    if !attempt("group \(group)", groupOption, .deleteGroup(group)) {
      // The group's state would have gone with it.
      for state in (try? admin.topics(named: nil).filter({ $0.stateOf == group })) ?? [] {
        _ = attempt("topic \(state.name)", groupOption, .deleteTopic(state.name))
      }
    }
    if let topic { _ = attempt("topic \(topic)", "--topic \(topic)", .deleteTopic(topic)) }
  }
}
