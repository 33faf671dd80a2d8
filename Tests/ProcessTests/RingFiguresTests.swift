import Foundation
import StormoClient
import Testing
import Wire

@testable import Stormo

/// What a change of the ring costs those who work meanwhile: `make figures`. It measures and does not judge, except that
/// nobody may be refused.
@Suite(
    .serialized, .timeLimit(.minutes(30)), .enabled(if: Repetitions.wanted > 0, "only on demand: make figures"))
struct RingFiguresTests {
    @Test func `a fourth node under load`() async throws {
        let keys = Repetitions.keys
        let directory = try TestDirectory()
        try await TestCluster.with(NodePlace.loopback(4), founders: 3, in: directory) { cluster, client in
            try await cluster.waitUntilWhole(client)
            let seeds = ["--seeds", cluster.seeds.joined(separator: ",")]
            let work = seeds + ["--keys", "\(keys)", "--value-bytes", "100", "--warm-up", "1s", "-o", "json"]
            // Reading writes all keys first.
            let (filled, filling) = try await runStormo(
                ["bench", "kv", "get", "--concurrency", "32", "--duration", "1s"] + work, in: directory, within: 900
            )
            try #require(filled == 0, "\(filling)")
            try cluster.start(3)
            try await eventually("n4 is alive", cluster.running) {
                client.cluster?.members.contains { $0.identity.name == "n4" && $0.state == .alive } ?? false
            }

            let measuredSeconds = 60 + keys / 8_000
            let bench = try StormoProcess(
                "bench",
                ["bench", "kv", "mixed", "--concurrency", "32", "--duration", "\(measuredSeconds)s"] + work,
                log: directory.newPath("bench.log"))
            try await Task.sleep(for: .seconds(20))
            let from = Self.wallMs
            let (added, adding) = try await runStormo(
                ["ring", "add", "n4", "--wait"] + seeds, in: directory, within: 900)
            let to = Self.wallMs
            #expect(added == 0, "\(adding)")
            let exit = try await bench.waitForExit(within: Double(measuredSeconds) + 60)
            #expect(exit == .code(0), "\(bench.log)")
            let report = try JSON(Array(bench.log.utf8.drop { $0 != UInt8(ascii: "{") }))
            let run = try #require(report["runs"].items.first)
            let began = UInt64(try #require(run["began_at_ms"].number))
            func second(_ ms: UInt64) -> Int { Int(ms - min(ms, began)) / 1_000 }
            let each = run["each_second"].items.compactMap { $0.number.map { Int($0) } }.dropLast()
            let (first, last) = (min(second(from), each.count), min(second(to) + 1, each.count))
            let moved = try await cluster.figure("transfer_keys_total", of: 3, by: client)
            let bytes = try await cluster.figure("transfer_bytes_total", of: 3, by: client)
            print("a fourth node with \(keys) keys, under 32 callers that put and get by turns:")
            print("    final after \(to - from) ms; \(moved) keys, \(bytes >> 20) MiB copied")
            print("    operations a second before: \(Self.summary(each[..<first]))")
            print("    meanwhile: \(Self.summary(each[first..<last]))")
            print("    afterwards: \(Self.summary(each[last...]))")
            print("    each second: \(each.map(String.init).joined(separator: " "))")
            let errors = run["errors"] == .object([:]) ? "none" : "\(run["errors"])"
            print("    longest operation: \((run["max_us"].number ?? 0) / 1_000) ms; errors: \(errors)")
            #expect(last < each.count, "the change took longer than was measured")
            #expect(run["errors"] == .object([:]))
        }
    }

    private static var wallMs: UInt64 { UInt64(Date().timeIntervalSince1970 * 1_000) }

    private static func summary(_ seconds: ArraySlice<Int>) -> String {
        let sorted = seconds.sorted()
        guard let least = sorted.first, let most = sorted.last else { return "none" }
        let mean = sorted.reduce(0, +) / sorted.count
        return "\(mean) (\(least) to \(most)) over \(sorted.count) s"
    }
}
