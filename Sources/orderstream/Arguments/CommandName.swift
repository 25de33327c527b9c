/// The commands, in the order of the help page.
enum CommandName: String, CaseIterable, Sendable {
  case produce, inventory, analytics, replay
  case lagDemo = "lag-demo"
  case status, tail, audit, delete, help, completions
}
