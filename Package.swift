// swift-tools-version: 6.0
import PackageDescription

let package = Package(
  name: "orderstream",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "orderstream", targets: ["orderstream"]),
    // For programs of others, and for Benchmarks/, which is a package of its own.
    .library(name: "OrderStreamCore", targets: ["OrderStreamCore"]),
    .library(name: "OrderStreamEmbedded", targets: ["OrderStreamEmbedded"]),
    .library(name: "OrderStreamKafka", targets: ["OrderStreamKafka"]),
    .library(name: "OrderStreamThreads", targets: ["OrderStreamThreads"]),
    // For Benchmarks/ alone.
    .library(name: "CRdKafka", targets: ["CRdKafka"]),
    .library(name: "CCounters", targets: ["CCounters"]),
  ],
  dependencies: [
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
  ],
  targets: [
    // C borders: no logic beyond what the name says.
    // simdjson's headers lie on the compiler's own path; its pkg-config file holds a -D flag that SwiftPM refuses with a
    // warning on every build.
    .target(name: "CSimdJSON", linkerSettings: [.linkedLibrary("simdjson")]),
    .target(name: "CCRC32C"),
    .target(name: "CWriteBack"),
    // What was built.
    .target(name: "BuildFacts", plugins: ["CommitPlugin"]),
    .plugin(name: "CommitPlugin", capability: .buildTool()),
    // For the benchmark and the tests only: counts allocations, instructions and SQLite's steps.
    .target(name: "CCounters", linkerSettings: [.linkedLibrary("sqlite3")]),
    .systemLibrary(
      name: "CRdKafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"]), .brew(["librdkafka"])]),

    .systemLibrary(
      name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),

    // The domain, and one back end a target. Back ends never import each other.
    .target(
      name: "OrderStreamCore",
      dependencies: [
        "CSimdJSON", "CCrypto", "OrderStreamThreads", .product(name: "Histogram", package: "hdrhistogram-swift"),
      ]),
    // Threads for calls that block.
    .target(name: "OrderStreamThreads"),
    .target(
      name: "OrderStreamEmbedded",
      dependencies: [
        "OrderStreamCore", "OrderStreamThreads", "CCRC32C", "CWriteBack", .product(name: "GRDB", package: "GRDB.swift"),
      ]),
    .target(name: "OrderStreamKafka", dependencies: ["OrderStreamCore", "OrderStreamThreads", "CRdKafka"]),
    .executableTarget(
      name: "orderstream",
      dependencies: [
        "OrderStreamCore", "OrderStreamEmbedded", "OrderStreamKafka", "OrderStreamThreads", "BuildFacts",
      ]),

    .target(
      name: "OrderStreamTestSupport",
      dependencies: ["OrderStreamCore", "OrderStreamEmbedded", "OrderStreamKafka", "OrderStreamThreads", "CRdKafka"]),
    .testTarget(
      name: "CoreTests",
      dependencies: [
        "OrderStreamCore", "OrderStreamTestSupport", "CCounters",
        .product(name: "Histogram", package: "hdrhistogram-swift"),
      ]),
    .testTarget(
      name: "EmbeddedTests",
      dependencies: ["OrderStreamEmbedded", "OrderStreamThreads", "OrderStreamTestSupport", "CCounters"]),
    .testTarget(
      name: "KafkaTests",
      dependencies: ["OrderStreamKafka", "OrderStreamThreads", "OrderStreamTestSupport", "CRdKafka"]),
    .testTarget(name: "BrokerContractTests", dependencies: ["OrderStreamTestSupport"]),
    .testTarget(name: "PipelineTests", dependencies: ["OrderStreamTestSupport"]),
    .testTarget(name: "CommandTests", dependencies: ["orderstream", "OrderStreamTestSupport"]),
    // The executable is a dependency because the tests start it.
    .testTarget(
      name: "CrashTests",
      dependencies: [
        "orderstream", "OrderStreamEmbedded", "OrderStreamCore", "OrderStreamTestSupport",
        .product(name: "GRDB", package: "GRDB.swift"),
      ]),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)
