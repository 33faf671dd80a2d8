import Foundation
import Glibc
import StormoClient
import Testing
import Wire

@testable import Stormo

extension ProcessTests {
    /// What a node does that is started wrongly: it says why in one line and ends, and whoever runs already goes on.
    @Suite struct BadConfigurationTests {
        /// Expects a process to end with a code and one line of its own, behind which nothing comes.
        private func expectEnd(
            of process: StormoProcess, code: Int32, saying parts: [String],
            sourceLocation: SourceLocation = #_sourceLocation
        ) async throws {
            #expect(
                try await process.waitForExit() == .code(code), "\(process.logTail())", sourceLocation: sourceLocation)
            let lines = process.log.split(separator: "\n")
            let own = lines.filter { $0.hasPrefix("stormo: ") }
            #expect(own.count == 1 && lines.last == own.first, "\(process.logTail())", sourceLocation: sourceLocation)
            for part in parts {
                #expect(
                    own.first?.contains(part) ?? false, "expected \"\(part)\" in:\n\(process.logTail())",
                    sourceLocation: sourceLocation)
            }
        }

        @Test func `a mistyped setting is answered with the one that was meant`() async throws {
            let directory = try TestDirectory()
            let file = try directory.file("stormo.yaml", "node:\n  name: n1\n  lisen: 127.0.0.1:7400\n")
            let data = directory.newPath("data")
            let process = try StormoProcess(
                "typo", ["node", "--config", file, "--data", data], log: directory.newPath("log"))
            try await expectEnd(of: process, code: 78, saying: ["\(file):3", "node.listen"])
            #expect(process.log.split(separator: "\n").count == 1)
            #expect(!FileManager.default.fileExists(atPath: data))

            let variable = try StormoProcess(
                "typo", ["node", "--data", data], environment: ["STORMO_NODE_LISEN": "x"], log: directory.newPath("log")
            )
            try await expectEnd(of: variable, code: 78, saying: ["STORMO_NODE_LISEN", "STORMO_NODE_LISTEN"])
            let flag = try StormoProcess("typo", ["node", "--lisen", "x"], log: directory.newPath("log"))
            #expect(try await flag.waitForExit() == .code(64))
            #expect(flag.log.contains("--listen"), "\(flag.logTail())")
        }

        @Test func `a cluster refuses strangers and twins, and goes on`() async throws {
            try await TestCluster.with { cluster, client in
                try await cluster.waitUntilWhole(client)
                try await client.put(Key("kept"), Array("value".utf8))
                let directory = cluster.directory
                let seeds = cluster.seeds.joined(separator: ",")
                let ports = try FreePorts.take(5)
                func start(
                    _ what: String, name: String = "n4", port: Int, data: String? = nil, cluster: String = "stormo",
                    secret: String? = nil
                ) throws -> StormoProcess {
                    try StormoProcess(
                        what,
                        [
                            "node", "--name", name, "--listen", "127.0.0.1:\(port)", "--seeds", seeds, "--cluster",
                            cluster,
                            "--data", data ?? directory.newPath("data"),
                        ],
                        environment: secret.map { ["STORMO_SECRET": $0] } ?? [:], log: directory.newPath("log"))
                }
                // At once: where others are not needed to tell.
                let port = try start("port in use", port: cluster.ports[0])
                let twice = try start("directory used twice", name: "n1", port: ports[0], data: cluster.data(0))
                try await expectEnd(of: port, code: 1, saying: ["127.0.0.1:\(cluster.ports[0]) is already in use"])
                try await expectEnd(of: twice, code: 1, saying: [cluster.data(0), "in use by another stormo node"])

                // After the cluster has refused them for as long as a former run could stand in the way.
                let copy = directory.newPath("copy")
                try FileManager.default.copyItem(atPath: cluster.data(1), toPath: copy)
                let strangers = [
                    (
                        try start("copied directory", name: "n2", port: ports[1], data: copy),
                        ["of this id", cluster.seeds[1]]
                    ),
                    (try start("same name", name: "n3", port: ports[2]), ["named 'n3'", cluster.seeds[2]]),
                    (
                        try start("wrong secret", port: ports[3], secret: "a secret of another cluster"),
                        ["cluster secret"]
                    ),
                    (try start("other cluster", port: ports[4], cluster: "other"), ["'stormo'", "'other'"]),
                ]
                for (process, parts) in strangers { try await expectEnd(of: process, code: 1, saying: parts) }

                try await cluster.waitUntilWhole(client)
                #expect(client.cluster?.ring?.members.count == 3)
                #expect(try await client.get(Key("kept"))?.value == Array("value".utf8))
                for process in cluster.running { #expect(process.exit == nil, "\(process.logTail())") }
            }
        }

        @Test func `a data directory is used by its own node in its own cluster only`() async throws {
            try await TestCluster.with(nodes: 1) { cluster, client in
                try await client.put(Key("kept"), [7])
                cluster[0].signal(SIGTERM)
                #expect(try await cluster[0].waitForExit() == .code(0))
                func start(_ changes: [String: String]) throws -> StormoProcess {
                    var arguments = cluster.arguments(0)
                    for (flag, value) in changes {
                        if let index = arguments.firstIndex(of: flag) {
                            arguments[index + 1] = value
                        } else {
                            arguments += [flag, value]
                        }
                    }
                    return try StormoProcess("foreign", arguments, log: cluster.directory.newPath("log"))
                }
                try await expectEnd(
                    of: try start(["--cluster": "other"]), code: 1,
                    saying: [cluster.data(0), "\"stormo\"", "\"other\""])
                try await expectEnd(
                    of: try start(["--name": "n9"]), code: 1, saying: [cluster.data(0), "\"n1\"", "\"n9\""])
                try cluster.start(0)
                #expect(try await cluster.client().get(Key("kept"))?.value == [7])
            }
        }

        @Test func `two clusters of one name do not mix`() async throws {
            try await TestCluster.with(nodes: 1) { first, client in
                try await TestCluster.with(nodes: 1) { second, _ in
                    try await client.put(Key("kept"), [7])
                    second[0].signal(SIGTERM)
                    #expect(try await second[0].waitForExit() == .code(0))
                    var arguments = second.arguments(0)
                    if let index = arguments.firstIndex(of: "--seeds") { arguments[index + 1] = first.seeds[0] }
                    if let index = arguments.firstIndex(of: "--name") { arguments[index + 1] = "n1" }
                    let process = try StormoProcess(
                        "other cluster's data", arguments, log: second.directory.newPath("log"))
                    try await expectEnd(of: process, code: 1, saying: ["two clusters were founded under one name"])
                    #expect(try await client.get(Key("kept"))?.value == [7])
                }
            }
        }
    }
}
