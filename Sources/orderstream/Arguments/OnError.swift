/// `--on-error`: what becomes of a record that is no order.
enum OnError: String, CaseIterable, Sendable {
  /// Copy it to `<topic>.dlq` and go on.
  case dlq
  /// Count it and go on.
  case skip
  /// Stop before it, with exit 65.
  case fail
}
