import StormoClient
import Testing
import Wire

@testable import StormoClient

extension ProcessTests {
    /// A compacted topic of a real cluster, on its disks.
    @Suite struct CompactedTopicTests {
        /// All records of the topic's only partition, as "key=value".
        private func content(_ client: StormoClient) async throws -> [String] {
            var found: [String] = []
            var next: Offset = 0
            while true {
                let page = try await client.fetch("state", partition: 0, offset: next)
                found += page.records.map {
                    String(
                        decoding: ($0.record.key ?? []) + [UInt8(ascii: "=")] + $0.record.value.prefix(8), as: UTF8.self
                    )
                }
                guard page.nextOffset > next else { return found }
                next = page.nextOffset
            }
        }

        private func publish(_ client: StormoClient, rounds: Range<Int>) async throws {
            for round in rounds {
                let records = (0..<10).map { key in
                    // A value that does not pack to nothing, and begins with its round.
                    var state = UInt64(round * 10 + key + 1)
                    let noise = (0..<400).map { _ in
                        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                        return UInt8(truncatingIfNeeded: state >> 33)
                    }
                    let label = String(round + 10_000_000)
                    return Record(key: Array("k\(key)".utf8), value: Array(label.utf8) + noise, timestampMs: 0)
                }
                try await client.publish(toExisting: "state", records)
            }
        }

        @Test func `one record a key stays, and all of them through the death of every node`() async throws {
            let directory = try TestDirectory()
            var places = try NodePlace.loopback(3)
            for index in places.indices {
                places[index].arguments = [
                    "--compaction-bytes-min", "1", "--compaction-dirty-percent", "0", "--topic-review", "500ms",
                    "--deletion-marker-age", "3s",
                ]
            }
            try await TestCluster.with(places, in: directory) { cluster, client in
                try await cluster.waitUntilWhole(client)
                let made = try await runStormo(
                    [
                        "topic", "create", "state", "--partitions", "1", "--cleanup", "compact", "--retention", "1s",
                        "--seeds", cluster.seeds.joined(separator: ","),
                    ], in: directory, within: 60)
                try #require(made.0 == 0, "\(made)")
                try await publish(client, rounds: 0..<100)
                func newest(_ round: Int) -> [String] { (0..<10).map { "k\($0)=\(10_000_000 + round)" } }
                try await eventually("one record a key", cluster.running) { try await content(client) == newest(99) }

                for index in 0..<3 { try await cluster[index].killNow() }
                for index in 0..<3 { try cluster.start(index) }
                try await eventually("the same after the death of all", cluster.running) {
                    try await content(client) == newest(99)
                }
                try await publish(client, rounds: 100..<150)
                try await eventually("one record a key again", cluster.running) {
                    try await content(client) == newest(149)
                }
                // A deletion goes in the end, with what it deletes.
                let end = try await client.publish(
                    toExisting: "state", [Record(key: Array("k3".utf8), value: [], timestampMs: 0)])
                #expect(end.first?.offset == 1_500)
                try await eventually("the key is gone", cluster.running) {
                    try await content(client) == newest(149).filter { !$0.hasPrefix("k3") }
                }
            }
        }
    }
}
