// swift-tools-version: 6.2
import PackageDescription

/// The one settings block: every target of the package is compiled under the same rules.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// Debug builds can break rules of the core on purpose, so that tests see that it is noticed; a build for use cannot.
let breakable = settings + [.define("MUTANTS", .when(configuration: .debug))]

// Products of other packages, named once.
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// A target of production code.
func library(
    _ name: String, _ path: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil,
    settings: [SwiftSetting] = settings
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/\(path)", resources: resources, swiftSettings: settings)
}

/// A target of tests, in the folder of its name.
func tests(
    _ name: String, _ dependencies: [Target.Dependency], resources: [Resource]? = nil,
    settings: [SwiftSetting] = settings
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, path: "Tests/\(name)", resources: resources, swiftSettings: settings)
}

let package = Package(
    name: "stormo",
    products: [
        .executable(name: "stormo", targets: ["Stormo"]),
        .executable(name: "stormo-sim", targets: ["stormo-sim"]),
        .library(name: "StormoClient", targets: ["StormoClient"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.14.0"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.1.0"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.3.0"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.5.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.8.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.0"),
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0"),
        .package(url: "https://github.com/vapor/jwt-kit.git", from: "5.7.0"),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift.git", from: "0.2.0"),
    ],
    targets: [
        // Wire: bytes in, values out.
        .systemLibrary(name: "CLZ4", path: "Sources/Wire/CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
        library("Wire", "Wire/Protocol", ["CLZ4"]),
        library("WireTransport", "Wire/Transport", ["Wire", nioCore, nioPosix, logging, crypto, deque]),
        library(
            "StormoClient", "Wire/Client", ["Wire", "WireTransport", "Membership", nioCore, nioPosix, logging, deque]),

        // Node: what a cluster member decides, keeps and does.
        .systemLibrary(
            name: "CSQLite", path: "Sources/Node/CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        library("Membership", "Node/Membership", ["Wire"]),
        library("NodeCore", "Node/Core", ["Wire", "Membership", deque], settings: breakable),
        library("NodeStorage", "Node/Storage", ["Wire", "NodeCore", "CSQLite", deque]),
        library(
            "NodeShell", "Node/Shell",
            ["Wire", "WireTransport", "Membership", "NodeCore", "NodeStorage", nioCore, nioPosix, logging, lifecycle]),

        // Gateway: the cluster as HTTP.
        library(
            "Gateway", "Gateway",
            [
                "Wire", "WireTransport", "StormoClient", "FleetRules", "EnergyRules", "Fleet", "Energy", hummingbird,
                httpTypes, nioCore, logging,
                lifecycle, crypto, .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "JWTKit", package: "jwt-kit"),
            ],
            resources: [.copy("Web")]),

        // Agents: the two applications.
        library("FleetRules", "Agents/FleetRules"),
        library("EnergyRules", "Agents/EnergyRules"),
        library("Fleet", "Agents/Fleet", ["Wire", "StormoClient", "FleetRules", logging, lifecycle]),
        library("Energy", "Agents/Energy", ["Wire", "StormoClient", "EnergyRules", logging, lifecycle]),

        // The executable: arguments, configuration, composition.
        .executableTarget(
            name: "Stormo",
            dependencies: [
                "Wire", "WireTransport", "StormoClient", "Membership", "NodeShell", "NodeCore", "NodeStorage",
                "Gateway", "Fleet", "Energy", "FleetRules",
                "EnergyRules", arguments, logging, lifecycle, unixSignals, nioCore, nioPosix,
                .product(name: "Yams", package: "Yams"), .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            path: "Sources/Stormo",
            swiftSettings: settings),

        // The simulator: the core under faults on virtual time. Its own folder, since it is no production code.
        .target(
            name: "Simulation", dependencies: ["NodeCore", "Membership", "Wire"], path: "Tests/Simulation",
            exclude: ["Command"], swiftSettings: breakable),
        .executableTarget(
            name: "stormo-sim", dependencies: ["Simulation", "NodeCore", arguments], path: "Tests/Simulation/Command",
            swiftSettings: breakable),

        tests("WireTests", ["Wire"]),
        tests("TransportTests", ["Wire", "WireTransport", "StormoClient", nioCore, nioPosix, nioEmbedded, logging]),
        tests("MembershipTests", ["Membership", "Wire"]),
        tests("NodeCoreTests", ["NodeCore", "Simulation", "Membership", "Wire"]),
        tests(
            "SimulationTests", ["Simulation", "NodeCore", "Membership", "Wire"], resources: [.copy("Fixtures")],
            settings: breakable),
        tests("NodeStorageTests", ["NodeStorage", "NodeCore", "Wire", "CSQLite"]),
        tests(
            "GatewayTests",
            [
                "Gateway", "StormoClient", "NodeShell", "NodeCore", "Wire", "FleetRules", httpTypes, hummingbird,
                hummingbirdCore, nioCore, nioEmbedded, logging, lifecycle,
            ]),
        tests(
            "AgentTests", ["FleetRules", "EnergyRules", "Fleet", "Energy", "StormoClient", "Wire", logging],
            resources: [.copy("Data")]),
        tests("SpecTests", ["Wire", "WireTransport"]),
        tests(
            "StormoTests",
            [
                "Stormo", "Wire", "WireTransport", "StormoClient", "Membership", "NodeCore", "NodeStorage", "NodeShell",
                "Gateway", "Fleet",
                "FleetRules", "Energy", "EnergyRules", arguments, logging,
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ]),
        tests(
            "ProcessTests",
            ["Stormo", "StormoClient", "Simulation", "Wire", "WireTransport", nioCore, nioPosix, logging]),
        tests("TidyTests", []),
    ]
)
