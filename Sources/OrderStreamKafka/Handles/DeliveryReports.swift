/// How a client reports what became of the records that it sent.
enum DeliveryReports {
  case none
  /// Through `ClientEvents`, while the client is polled or flushed.
  case callback
  /// As events of the main queue, many records an event.
  case events
}
