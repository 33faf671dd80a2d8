import Foundation
import StormoClient
import Testing
import Wire

@testable import Stormo

extension ProcessTests {
    /// One node of three finds its database damaged: it says so, forgets what it cannot trust, answers for nothing that it
    /// does not hold, and is whole again by what the others have.
    @Suite struct DamagedDataTests {
        /// What is done to a file.
        enum Damage: String, CaseIterable, CustomTestStringConvertible {
            case truncated, emptied
            case bitInValue = "one bit of a value flipped"
            case bitInEveryPage = "one bit of every page flipped"
            case pagesSwapped = "pages swapped"
            case bitsInWriteAheadLog = "one bit of every page of its write-ahead log flipped"

            var testDescription: String { rawValue }

            private static let pageBytes = 4_096

            /// The file that is struck, of the database at `path`.
            func file(of path: String) -> String { self == .bitsInWriteAheadLog ? path + "-wal" : path }

            /// Whether something is lost in any case. What a write-ahead log had may be in the journal still.
            var isLossCertain: Bool { self != .bitsInWriteAheadLog }

            /// Does it to the database at `path`. `value` is what is stored somewhere in it.
            func strike(_ path: String, value: [UInt8]) throws {
                let path = file(of: path)
                var file = try Data(contentsOf: URL(fileURLWithPath: path))
                try #require(file.count > 8 * Self.pageBytes)
                switch self {
                case .truncated: file.removeLast(file.count / 2)
                case .emptied: file.removeAll()
                case .bitInValue:
                    let place = try #require(file.range(of: Data(value)), "the value is not in \(path)")
                    file[place.lowerBound + value.count / 2] ^= 1
                case .bitInEveryPage, .bitsInWriteAheadLog:
                    for start in stride(from: 0, to: file.count, by: Self.pageBytes) {
                        file[Int.random(in: start..<min(file.count, start + Self.pageBytes))] ^=
                            1 << UInt8.random(in: 0..<8)
                    }
                case .pagesSwapped:
                    for index in stride(from: 1, to: file.count / Self.pageBytes - 1, by: 2) {
                        let (a, b) = (pages(file, index), pages(file, index + 1))
                        let (first, second) = (file[a], file[b])
                        file.replaceSubrange(a, with: second)
                        file.replaceSubrange(b, with: first)
                    }
                }
                try file.write(to: URL(fileURLWithPath: path))
            }

            private func pages(_ file: Data, _ index: Int) -> Range<Int> {
                index * Self.pageBytes..<(index + 1) * Self.pageBytes
            }
        }

        // So that there is something in the databases soon.
        private static let arguments = [
            "--journal-segment-bytes", "1MiB", "--memtable-bytes", "256KiB", "--cache-bytes", "0",
        ]
        private static let keys = 600
        private static func key(_ number: Int) -> Key { Key("kept/\(number)") }
        private static func value(_ number: Int) -> [UInt8] {
            Array("the value of \(number); ".utf8) + [UInt8](repeating: 0x4B, count: 1_000)
        }

        @Test func `a node whose database is damaged says so and becomes whole again`() async throws {
            var places = try NodePlace.loopback(3)
            for index in places.indices { places[index].arguments = Self.arguments }
            try await KeyScene.with(places, in: TestDirectory()) { scene in
                let (cluster, client) = (scene.cluster, scene.client)
                try await Self.fill(client)
                for (round, damage) in Damage.allCases.enumerated() {
                    // Each in turn, so that what a damaged one has fetched is what the next one has to go by.
                    let index = round % 3
                    try await expectMended(index, damage, scene)
                    // It counts: with another node away it makes the majority.
                    let other = (index + 1) % 3
                    scene.load.history.resetGaps()
                    try await cluster[other].killNow()
                    try await Self.expectAll(client)
                    try cluster.start(other)
                    try await cluster.waitUntilWhole(client)
                }
            }
        }

        private func expectMended(_ index: Int, _ damage: Damage, _ scene: KeyScene) async throws {
            let (cluster, client) = (scene.cluster, scene.client)
            try await flushed(index, scene)
            try await cluster[index].killNow()
            let logBefore = cluster[index].log.utf8.count
            scene.load.history.resetGaps()
            try damage.strike("\(cluster.data(index))/state.sqlite", value: Self.value(Self.keys / 2))
            try cluster.start(index)
            try await scene.expectRecovery(after: "the restart of n\(index + 1) with a database \(damage.rawValue)")
            try await expectCopies(at: index, scene)
            if damage.isLossCertain {
                let news = String(decoding: Array(cluster[index].log.utf8.dropFirst(logBefore)), as: UTF8.self)
                #expect(news.contains("damaged"), "n\(index + 1) says nothing of the damage: \(news)")
                let lost = try await cluster.figure("databases_lost", of: index, by: client)
                let mended = try await cluster.figure("registers_damaged_total", of: index, by: client)
                #expect(lost + mended > 0)
            }
            try await cluster.waitUntilWhole(client)
        }

        @Test func `a node whose journal is damaged refuses to vote again, and is replaced`() async throws {
            var places = try NodePlace.loopback(4)
            for index in places.indices { places[index].arguments = Self.arguments }
            try await KeyScene.with(places, founders: 3, in: TestDirectory()) { scene in
                let (cluster, client) = (scene.cluster, scene.client)
                try await Self.fill(client)
                try await cluster[0].killNow()
                let journal = "\(cluster.data(0))/journal"
                for name in try FileManager.default.contentsOfDirectory(atPath: journal) {
                    // In the first block of the segment's present use: blocks behind it say that it was durable.
                    let path = "\(journal)/\(name)"
                    var segment = try Data(contentsOf: URL(fileURLWithPath: path))
                    guard segment.count > 8_300 else { continue }
                    segment[8_240] ^= 1
                    try segment.write(to: URL(fileURLWithPath: path))
                }
                scene.load.history.resetGaps()
                try cluster.start(0)
                #expect(try await cluster[0].waitForExit() == .code(1))
                let log = cluster[0].log
                #expect(log.contains("below what was known to be durable"), "n1 says \(log)")
                #expect(log.contains("as a replacement of this node"), "n1 says \(log)")
                try await eventually("n1 is called dead", cluster.running) {
                    client.cluster?.members.contains { $0.identity.name == "n1" && $0.state == .dead } ?? false
                }
                try cluster.start(3)
                try await eventually("the replacement has begun", cluster.running) {
                    do { _ = try await client.changeRing(.replace("n1", with: "n4")) } catch ClientError.refused(
                        .ringBusy, _)
                    {
                        // It was this very change, asked for before.
                    }
                    return true
                }
                try await cluster.waitUntilWhole(client, nodes: ["n2", "n3", "n4"], within: 60)
                try await scene.expectRecovery(after: "the replacement of n1, whose journal was damaged")
                scene.load.history.resetGaps()
                try await cluster[1].killNow()
                try await Self.expectAll(client)
                try cluster.start(1)
                try await cluster.waitUntilWhole(client, nodes: ["n2", "n3", "n4"])
            }
        }

        // MARK: What is kept

        private static func fill(_ client: StormoClient) async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for lane in 0..<16 {
                    group.addTask {
                        for number in stride(from: lane, to: keys, by: 16) {
                            try await client.put(key(number), value(number))
                        }
                    }
                }
                try await group.waitForAll()
            }
        }

        /// Every key is as it was written.
        private static func expectAll(_ client: StormoClient) async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for lane in 0..<16 {
                    group.addTask {
                        for number in stride(from: lane, to: keys, by: 16) {
                            let found = try await client.get(key(number))
                            #expect(found?.value == value(number), "\(key(number))")
                        }
                    }
                }
                try await group.waitForAll()
            }
        }

        /// Waits until a node's database has the keys: what is written later pushes them there.
        private func flushed(_ index: Int, _ scene: KeyScene) async throws {
            let later = [UInt8](repeating: 0x4C, count: 8 << 10)
            try await eventually("the database of n\(index + 1) has the keys", scene.cluster.running) {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<20 {
                        group.addTask { try await scene.client.put(Key("later/\(number)"), later) }
                    }
                    try await group.waitForAll()
                }
                return try await scene.cluster.figure("storage_sqlite_keys", of: index, by: scene.client)
                    >= UInt64(Self.keys + 100)
            }
        }

        /// Waits until a node has a copy of every key. Each that it has is right.
        private func expectCopies(at index: Int, _ scene: KeyScene) async throws {
            let name = "n\(index + 1)"
            let node = try #require(
                scene.client.cluster?.ring?.members.first { $0.name == name }?.id, "\(name) is in the ring")
            try await eventually("\(name) has every key again", within: 60, scene.cluster.running) {
                for number in 0..<Self.keys {
                    guard let copy = try await scene.client.localCopy(Self.key(number), at: node) else { return false }
                    #expect(copy.content == .value(Self.value(number)), "the copy of \(number) at \(name)")
                }
                return true
            }
        }

        @Test func `a damaged node that was primary of a topic's partitions loses no record`() async throws {
            try await TestCluster.with { cluster, client in
                try await cluster.waitUntilWhole(client)
                let load = Load(client)
                try await load.progress(cluster, 100)
                let primary = try #require(try await client.topic(Load.topic)?.partitions.first?.primary)
                let index = try #require(
                    client.cluster?.members.first { $0.identity.id == primary }?.identity.name.last?.wholeNumberValue)
                try await cluster[index - 1].killNow()
                try Data().write(to: URL(fileURLWithPath: "\(cluster.data(index - 1))/state.sqlite"))
                try cluster.start(index - 1)
                try await cluster.waitUntilWhole(client)
                try await load.progress(cluster)
                await load.stop()
                try await load.expectNothingLost(client, cluster)
                try await eventually("every partition has its three replicas in step", cluster.running) {
                    let partitions = try await client.topic(Load.topic)?.partitions ?? []
                    return !partitions.isEmpty && partitions.allSatisfy { $0.inSync.count == 3 }
                }
            }
        }
    }
}
