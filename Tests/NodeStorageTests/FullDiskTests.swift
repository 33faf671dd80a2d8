import Glibc
import NodeCore
import Testing
import Wire

@testable import NodeStorage

/// A file system of its own in memory, gone at the end.
private final class SmallDisk {
    let directory = TemporaryDirectory()
    private let isMounted: Bool

    init?(bytes: Int) {
        isMounted = mount("tmpfs", directory.path, "tmpfs", 0, "size=\(bytes)") == 0
        if !isMounted { return nil }
    }

    deinit { umount2(directory.path, Int32(MNT_DETACH)) }

    /// Whether this process may mount file systems.
    static var isPossible: Bool { SmallDisk(bytes: 64 << 10) != nil }

    /// Takes all room that is left.
    func fill() throws {
        let file = try PosixFile(directory.path + "/filler", O_WRONLY | O_CREAT)
        defer { file.close() }
        var at = 0
        for piece in [64 << 10, 4_096] {
            while (try? file.write([UInt8](repeating: 1, count: piece), at: at)) != nil { at += piece }
        }
    }

    /// Makes room again.
    func empty() { unlink(directory.path + "/filler") }
}

/// What a full disk does to a node: it takes no writes and says why, it reads, and it goes on by itself.
@Suite(.timeLimit(.minutes(2)), .enabled(if: SmallDisk.isPossible, "mounting needs the right to"))
struct FullDiskTests {
    private func open(_ disk: SmallDisk) throws -> TestEngine {
        try TestEngine(disk.directory) {
            $0.journalSegmentBytes = 256 << 10
            $0.journalFirstSegmentBytes = 256 << 10
            $0.journalSegmentsMax = 2
        }
    }

    @Test func withoutRoomForTheDatabaseNothingAcknowledgedIsLost() throws {
        let disk = try #require(SmallDisk(bytes: 4 << 20))
        let test = try open(disk)
        let value = String(repeating: "v", count: 500)
        for number in 0..<200 { test.apply(.register(Key("k\(number)"), state(1, value))) }
        test.drain()
        try disk.fill()
        // The journal has its room already.
        for number in 0..<200 { test.apply(.register(Key("k\(number)"), state(2, "new" + value))) }
        test.apply(.fact(.peers, [7]))
        test.settle()
        test.engine.flush()
        test.until { test.engine.readOnlyReason != nil }
        let failures = test.engine.statistics["flush_failures_total"]
        test.until { test.engine.statistics["flush_failures_total"] > failures + 2 }
        #expect(try #require(test.engine.readOnlyReason).contains("full"))
        #expect(test.engine.damage == nil)
        #expect(try test.value("k7") == "new" + value)
        // A crash now loses nothing.
        let crashed = try TestEngine(try disk.directory.copy())
        #expect(try crashed.value("k7") == "new" + value)
        try crashed.engine.close()
        disk.empty()
        test.until { test.engine.readOnlyReason == nil && test.engine.frozen.isEmpty }
        try test.engine.close()
        let again = try open(disk)
        for number in 0..<200 { #expect(try again.value("k\(number)") == "new" + value) }
        #expect(again.engine.fact(.peers) == [7])
        try again.engine.close()
    }

    @Test func withoutRoomForALogNothingAcknowledgedIsLost() throws {
        let disk = try #require(SmallDisk(bytes: 4 << 20))
        let test = try open(disk)
        test.apply(.log(partition, facts()), .append(partition, [try batch(0, 5)]))
        test.drain()
        try disk.fill()
        let large = try batch(5, 100, bytes: 1_000)
        test.apply(.append(partition, [large]))
        test.settle()
        test.engine.flush()
        test.until { test.engine.readOnlyReason != nil }
        #expect(try #require(test.engine.readOnlyReason).contains("full"))
        #expect(try test.offsets(from: 0) == [0, 5])
        disk.empty()
        test.until { test.engine.readOnlyReason == nil && test.engine.frozen.isEmpty }
        try test.engine.close()
        let again = try open(disk)
        #expect(try again.engine.batches(partition, from: 5, limit: .max, bytesMax: 1 << 20) == [large])
        try again.engine.close()
    }

    @Test func withoutRoomForAJournalSegmentNothingAcknowledgedIsLost() throws {
        let disk = try #require(SmallDisk(bytes: 4 << 20))
        let test = try open(disk)
        try disk.fill()
        let value = String(repeating: "v", count: 1_000)
        for number in 0..<600 {
            test.apply(.register(Key("k\(number)"), state(1, value)))
            test.engine.commit()
        }
        test.until { test.engine.readOnlyReason != nil && test.engine.backlogBytes > 0 }
        #expect(try #require(test.engine.readOnlyReason).contains("full"))
        let durable = test.durable
        #expect(durable < 600)
        let crashed = try TestEngine(try disk.directory.copy())
        for number in 0..<Int(durable) { #expect(try crashed.value("k\(number)") == value) }
        try crashed.engine.close()
        disk.empty()
        test.settle()
        test.drain()
        #expect(test.engine.readOnlyReason == nil && test.engine.backlogBytes == 0)
        try test.engine.close()
        let again = try open(disk)
        for number in 0..<600 { #expect(try again.value("k\(number)") == value) }
        try again.engine.close()
    }
}
