// swift-tools-version: 6.2
import PackageDescription

// The canonical jobs beside plain C: scripts/bench.sh and scripts/cost-gate.sh build it, building orderstream does not.
let package = Package(
  name: "orderstream-benchmarks",
  platforms: [.macOS(.v15)],
  products: [.executable(name: "orderstream-bench", targets: ["orderstream-bench"])],
  dependencies: [.package(name: "orderstream", path: "..")],
  targets: [
    .target(
      name: "CBaseline", dependencies: [.product(name: "CRdKafka", package: "orderstream")],
      cSettings: [.treatAllWarnings(as: .error)]),
    .executableTarget(
      name: "orderstream-bench",
      dependencies: [
        "CBaseline",
        .product(name: "OrderStreamCore", package: "orderstream"),
        .product(name: "OrderStreamEmbedded", package: "orderstream"),
        .product(name: "OrderStreamKafka", package: "orderstream"),
        .product(name: "OrderStreamThreads", package: "orderstream"),
        .product(name: "CCounters", package: "orderstream"),
      ],
      swiftSettings: [.treatAllWarnings(as: .error)]),
  ],
  swiftLanguageModes: [.v6]
)
