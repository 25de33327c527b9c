import OrderStreamCore
import Testing

@testable import OrderStreamKafka

struct RedactorTests {
  private let redactor = Redactor(properties: [
    ("sasl.password", "hunter2"), ("sasl.oauthbearer.client.secret", "tell-nobody"), ("client.id", "me"),
    ("ssl.key.pem", "-----BEGIN KEY-----\nMIIEvQIBADAN\n-----END KEY-----"), ("ssl.key.location", "/etc/key.pem"),
  ])

  @Test("values of secret properties vanish wherever they are")
  func values() {
    #expect(redactor.redact("a hunter2 b tell-nobody c me") == "a [redacted] b [redacted] c me")
    #expect(!redactor.redact("line MIIEvQIBADAN of it").contains("MIIEvQIBADAN"))
  }

  @Test("the name of a key file is no secret")
  func locations() {
    #expect(redactor.redact("cannot open /etc/key.pem") == "cannot open /etc/key.pem")
  }

  @Test(
    "what follows the name of a secret vanishes",
    arguments: [
      ("password=abc", "password=[redacted]"), ("ssl.key.password=abc, x", "ssl.key.password=[redacted], x"),
      ("client_secret=abc&x=1", "client_secret=[redacted]&x=1"), ("token=abc", "token=[redacted]"),
      ("unknown key: nothing", "unknown key: nothing"), ("ratio=3", "ratio=3"),
    ])
  func assignments(text: String, redacted: String) {
    #expect(Redactor(properties: []).redact(text) == redacted)
  }

  @Test("a text becomes one line")
  func oneLine() {
    #expect(Redactor(properties: []).redact("a\nb\r\nc") == "a b c")
  }

  @Test(
    "names tell secrets",
    arguments: [
      ("sasl.password", true), ("ssl.keystore.password", true), ("sasl.jaas.config", true), ("ssl.key.pem", true),
      ("sasl.oauthbearer.config", true), ("ssl.ca.location", false), ("linger.ms", false), ("SASL.PASSWORD", true),
    ])
  func names(property: String, isSecret: Bool) {
    #expect(SecretProperty.isSecret(property) == isSecret)
  }
}
