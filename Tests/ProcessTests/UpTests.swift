import Foundation
import Glibc
import Testing

@testable import Stormo

extension ProcessTests {
    /// A whole cluster with its applications, as `stormo up` runs it.
    @Suite struct UpTests {
        private static let adminToken = "the token of these tests"
        private static let samples = URL(filePath: #filePath).appending(path: "../../../deploy/sample-data")
            .standardized.path

        /// A running `up` and how to reach it.
        private struct Running {
            let process: StormoProcess
            let http: HTTPCaller
            let directory: UpDirectory

            /// The children as `up` has noted them.
            var children: [UpState.Process] { (try? directory.state())?.processes ?? [] }

            func pid(of name: String) -> Int32? { children.first { $0.name == name }?.pid }

            /// Ends it as Ctrl-C does, and expects nothing to be left.
            func interrupt(sourceLocation: SourceLocation = #_sourceLocation) async throws {
                let pids = children.map(\.pid)
                #expect(!pids.isEmpty, sourceLocation: sourceLocation)
                process.signal(SIGINT)
                #expect(
                    try await process.waitForExit(within: 30) == .code(0), "\(process.logTail())",
                    sourceLocation: sourceLocation)
                let left = pids.filter(StormoProcess.isRunning)
                #expect(left.isEmpty, "left over: \(left)", sourceLocation: sourceLocation)
            }
        }

        /// Starts `up` over a directory, runs `body` when its gateway is ready, and ends it however `body` ends.
        private func withUp(
            _ data: String, _ directory: TestDirectory, port: Int, arguments: [String] = [],
            environment: [String: String] = [:],
            _ body: (Running) async throws -> Void
        ) async throws {
            let process = try StormoProcess(
                "up", ["up", "--data", data, "--http", "\(port)"] + arguments,
                environment: ["ADMIN_TOKEN": Self.adminToken].merging(environment) { $1 },
                log: directory.newPath("up.log"))
            let running = Running(
                process: process, http: HTTPCaller(port: port, headers: ["Authorization": "Bearer \(Self.adminToken)"]),
                directory: UpDirectory(path: data))
            do {
                try await eventually("the gateway is ready", within: 30, [process]) {
                    try await running.http.call("GET", "/ready").status == 200
                }
                try await body(running)
            } catch {
                Issue.record(error, "logs:\n\(logs(in: running.directory))")
            }
            process.signal(SIGTERM)
            _ = try? await process.waitForExit(within: 20)
            process.signal(SIGKILL)
        }

        /// The ends of all children's logs.
        private func logs(in directory: UpDirectory) -> String {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.logsPath)) ?? []
            return names.sorted().map { name in
                let text = (try? String(contentsOfFile: "\(directory.logsPath)/\(name)", encoding: .utf8)) ?? ""
                return "--- \(name)\n" + text.split(separator: "\n").suffix(8).joined(separator: "\n")
            }.joined(separator: "\n")
        }

        private func ids(_ http: HTTPCaller) async throws -> Set<String> {
            Set(try await http.all("/deliveries", limit: 1_000).compactMap { $0["id"].text })
        }

        private func alerts(_ http: HTTPCaller) async throws -> Set<String> {
            Set(
                try await http.call("GET", "/notifications?limit=1000").json["items"].items.compactMap { $0["id"].text }
            )
        }

        @Test func `both applications work through the death of a node, and go on after a restart`() async throws {
            let directory = try TestDirectory()
            let data = directory.newPath("data")
            let port = try FreePorts.take(1)[0]
            let replay = [
                "STORMO_FLEET_REPLAY": "\(Self.samples)/orders.csv",
                "STORMO_ENERGY_REPLAY": "\(Self.samples)/meter.csv",
            ]
            let order = #"{"origin":{"lat":41.9,"lon":12.48},"destination":{"lat":41.87,"lon":12.5},"weight":1.5}"#
            let key = ["Idempotency-Key": "order-1"]
            var own: String?
            var known: Set<String> = []
            var raised: Set<String> = []

            try await withUp(data, directory, port: port, arguments: ["--speed", "1000"], environment: replay) { up in
                let http = up.http
                let stream = try await EventStream(HTTPCaller(port: port), "/anomalies/stream")
                let fleet = try await EventStream(HTTPCaller(port: port), "/fleet/stream")
                let limits = #"{"default":{"kw":0.5,"amp":32,"volt_min":207,"volt_max":253,"dkwh":5},"per_floor":{}}"#
                #expect(try await http.call("PUT", "/admin/thresholds", limits).status == 200)
                let alert = try await stream.first("an alert", within: 40) { $0.name == "anomaly" }
                #expect(try JSON(Array(alert.data.utf8))["type"].text == "kw_over", "\(alert)")
                own = try await http.call("POST", "/deliveries", order, headers: key).json["id"].text
                try await eventually("orders of the file are delivered", within: 60, [up.process]) {
                    try await http.call("GET", "/deliveries?status=delivered&limit=5").json["count"].number ?? 0 > 0
                }

                for name in ["drone", "delivery"] {
                    let event = try await fleet.first(name, [up.process]) { $0.name == name }
                    #expect(event.id != nil && (try? JSON(Array(event.data.utf8))["id"].text) != nil, "\(event)")
                }

                known = try await ids(http)
                raised = try await alerts(http)
                let placed = try #require(own)
                #expect(known.contains(placed) && !raised.isEmpty)
                let pid = try #require(up.pid(of: "node-2"))
                kill(pid, SIGKILL)
                try await eventually("the supervisor starts node-2 again", [up.process]) {
                    up.pid(of: "node-2").map { $0 != pid } ?? false
                }
                try await eventually("orders go on", [up.process]) { try await ids(http).count > known.count + 3 }
                try await eventually("all nodes are alive", [up.process]) {
                    try await http.call("GET", "/health").json["nodes"]["alive"].number == 3
                }
                let after = try await ids(http)
                #expect(after.isSuperset(of: known), "lost: \(known.subtracting(after))")
                #expect(try await alerts(http).isSuperset(of: raised))
                let resumed = try await EventStream(HTTPCaller(port: port), "/anomalies/stream", lastEventID: alert.id)
                let next = try await resumed.first("the next alert", within: 40) { $0.name == "anomaly" }
                #expect(next.id != alert.id)
                known = try await ids(http)
                raised = try await alerts(http)
                try await up.interrupt()
            }

            try await withUp(data, directory, port: port, arguments: ["--speed", "1000"]) { up in
                let after = try await ids(up.http)
                #expect(after.isSuperset(of: known), "lost: \(known.subtracting(after))")
                #expect(try await alerts(up.http).isSuperset(of: raised))
                let again = try await up.http.call("POST", "/deliveries", order, headers: key)
                #expect(again.status == 200 && again.json["id"].text == own, "\(again)")
                try await eventually("the order of the first run is delivered", within: 60, [up.process]) {
                    try await up.http.call("GET", "/deliveries/\(own ?? "")").json["status"].text == "delivered"
                }
                try await up.interrupt()
            }
        }

        @Test func `nothing is left when up is killed, and a second one is refused`() async throws {
            let directory = try TestDirectory()
            let data = directory.newPath("data")
            let ports = try FreePorts.take(2)
            try await withUp(data, directory, port: ports[0], arguments: ["--apps", "none"]) { up in
                let second = try await runStormo(
                    ["up", "--data", data, "--http", "\(ports[1])", "--apps", "none"], in: directory)
                #expect(second.code == 78 && second.output.contains("another `stormo up`"), "\(second)")
                #expect(second.output.split(separator: "\n").count == 1, "\(second)")
                let taken = try await runStormo(
                    ["up", "--data", directory.newPath("other"), "--http", "\(ports[0])", "--apps", "none"],
                    in: directory)
                #expect(taken.code == 78 && taken.output.contains("port \(ports[0])"), "\(taken)")
                #expect(taken.output.split(separator: "\n").count == 1, "\(taken)")

                try await up.http.call("PUT", "/kv/kept", #"{"value":7}"#)
                let pids = up.children.map(\.pid)
                #expect(pids.count == 4)
                try await up.process.killNow()
                try await eventually("the children end by themselves", within: 20) {
                    !pids.contains(where: StormoProcess.isRunning)
                }
            }
            try await withUp(data, directory, port: ports[0], arguments: ["--apps", "none"]) { up in
                #expect(try await up.http.call("GET", "/kv/kept").json["value"].number == 7)
                try await up.interrupt()
            }
        }
    }
}
