import Glibc
import StormoClient
import Testing
import Wire

@testable import Stormo

extension ProcessTests {
    /// How long clients wait when processes die, with default settings: `make figures`. It measures and does not judge,
    /// except that nothing acknowledged may be lost.
    @Suite(.enabled(if: Repetitions.wanted > 0, "only on demand: make figures"))
    struct FiguresTests {
        @Test func `the gap after the kill of one node`() async throws {
            try await withLoad { cluster, client, load in
                var (writes, reads, rejoins): ([Duration], [Duration], [Duration]) = ([], [], [])
                for round in 0..<Repetitions.wanted {
                    let index = round % 3
                    load.reset()
                    try await cluster[index].killNow()
                    try await eventually("n\(index + 1) is called dead", cluster.running) {
                        client.cluster?.members.contains {
                            $0.identity.name == "n\(index + 1)" && $0.state == .dead
                        } ?? false
                    }
                    try await load.progress(cluster, 100)
                    let gaps = load.gaps
                    writes.append(gaps.write)
                    reads.append(gaps.read)
                    load.reset()
                    try cluster.start(index)
                    try await cluster.waitUntilWhole(client)
                    try await load.progress(cluster, 100)
                    let after = load.gaps
                    rejoins.append(max(after.write, after.read))
                    print(
                        "    kill \(round + 1) (n\(index + 1)): writes \(gaps.write.text), reads \(gaps.read.text); "
                            + "restart: writes \(after.write.text), reads \(after.read.text)")
                    for line in gaps.slow { print("        \(line)") }
                    for other in 0..<3 where other != index {
                        let us = try await cluster.figure("storage_journal_sync_us_max", of: other, by: client)
                        print("        longest sync of n\(other + 1) since its start: \(us / 1_000) ms")
                    }
                    for line in after.slow { print("        restart: \(line)") }
                }
                print("gap in writes after kill -9 of one node: \(Summary(writes))")
                print("gap in reads after kill -9 of one node: \(Summary(reads))")
                print("gap while it comes back: \(Summary(rejoins))")
            }
        }

        @Test func `the time from the restart of all nodes to the first write`() async throws {
            try await withLoad { cluster, client, load in
                var (firsts, alls): ([Duration], [Duration]) = ([], [])
                for round in 0..<Repetitions.wanted {
                    for process in cluster.running { process.signal(SIGKILL) }
                    for process in cluster.running {
                        #expect(try await process.waitForExit() == .signal(SIGKILL))
                    }
                    let before = load.writes
                    load.reset()
                    for index in 0..<3 { try cluster.start(index) }
                    let times = try await load.firstWrites(cluster, since: before)
                    firsts.append(times.any)
                    alls.append(times.all)
                    print("    restart \(round + 1): first write \(times.any.text), in every range \(times.all.text)")
                    try await cluster.waitUntilWhole(client)
                    try await load.progress(cluster, 100)
                    for line in load.gaps.slow { print("        \(line)") }
                }
                print("first write after the restart of all nodes: \(Summary(firsts))")
                print("a write in every range after the restart of all nodes: \(Summary(alls))")
            }
        }

        private func withLoad(_ body: (TestCluster, StormoClient, FailoverLoad) async throws -> Void) async throws {
            try await TestCluster.with { cluster, client in
                try await cluster.waitUntilWhole(client)
                let load = try await FailoverLoad(cluster, ring: try #require(client.cluster?.ring))
                try await load.progress(cluster)
                try await body(cluster, client, load)
                await load.stop()
                let (lost, keys) = try await load.lost(client)
                print("acknowledged writes lost: \(lost), of \(load.writes.reduce(0, +)) on \(keys) keys")
                #expect(lost == 0)
            }
        }
    }
}

/// How much is measured, as the environment says.
enum Repetitions {
    /// How often each thing is done: `STORMO_FIGURES`; 0 when nothing is asked for.
    static let wanted = number("STORMO_FIGURES") ?? 0
    /// With how many keys a fourth node is added: `STORMO_FIGURES_KEYS`.
    static let keys = number("STORMO_FIGURES_KEYS") ?? 1_000_000

    private static func number(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }
}

/// What the times of one thing, done several times, come to.
struct Summary: CustomStringConvertible {
    /// From the shortest to the longest.
    private let sorted: [Duration]

    init(_ times: [Duration]) { sorted = times.sorted() }

    /// As in a table of figures.
    var description: String {
        guard let best = sorted.first, let worst = sorted.last else { return "none" }
        let median = sorted[sorted.count / 2]
        return "median \(median.text), best \(best.text), worst \(worst.text), \(sorted.count) times"
    }
}
