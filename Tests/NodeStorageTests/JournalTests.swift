import Glibc
import NodeCore
import Synchronization
import Testing
import Wire

@testable import NodeStorage

/// The journal as a value over a disk in memory.
@Suite struct JournalTests {
    private func limits(_ bytes: Int = 64 << 10, seed: UInt64 = 1) -> JournalLimits {
        JournalLimits(segmentBytes: bytes, segmentsMax: 4, saltSeed: seed)
    }

    private func recover(
        _ disk: MemoryDisk, flushed: UInt64 = 0, seed: UInt64 = 1
    ) throws -> (journal: Journal, entries: [JournalEntry]) {
        var entries: [JournalEntry] = []
        let journal = try Journal.recover(disk: disk, limits: limits(seed: seed), flushedUse: flushed) {
            (entry) throws(StorageOpenError) in entries.append(entry)
        }
        return (journal, entries)
    }

    private func new(slots: Int = 1, bytes: Int = 64 << 10) throws -> (MemoryDisk, Journal) {
        let disk = MemoryDisk()
        for slot in 0..<slots { try disk.prepare(slot, bytes: bytes) }
        return (disk, try recover(disk).journal)
    }

    private func commit(_ entries: [JournalEntry], _ journal: inout Journal) throws {
        var buffer = JournalBuffer()
        for entry in entries { buffer.append(entry) }
        try journal.commit(buffer)
    }

    private func entry(_ number: Int, bytes: Int = 20) -> JournalEntry {
        .register(Key("key \(number)"), state(UInt64(number + 1), String(repeating: "x", count: bytes)))
    }

    @Test func everyKindOfEntryComesBack() throws {
        let all: [JournalEntry] = [
            .register(Key("a"), .empty), .register(Key("b"), state(5, "value")), .register(Key("c"), tombstone(9)),
            .register(own("k", bytes: WireLimits.localKeyBytesMax), state(5, "own")), .forget(Key("b")),
            .forget(own("k", bytes: WireLimits.localKeyBytesMax)),
            .fact(.ring, [1, 2, 3]), .fact(.peers, []), .log(partition, facts(first: 12)),
            .append(partition, [try batch(12, 3), try batch(15, 1, epoch: 2)]), .truncate(partition, from: 15),
            .remove(partition), .renew(partition, facts(first: 3)),
        ]
        var (disk, journal) = try new()
        try commit(all, &journal)
        #expect(try recover(disk.afterCrash()).entries == all)
    }

    @Test func keysThatAreTooLongAreRefused() throws {
        for key in [Key([UInt8](repeating: 1, count: 513)), own("k", bytes: 577), Key([])] {
            var (disk, journal) = try new()
            try commit([.register(key, state(1, "v"))], &journal)
            #expect(throws: StorageOpenError.self) { _ = try recover(disk.afterCrash()) }
        }
    }

    @Test func oneCommitIsOneWriteAndOneSync() throws {
        var (disk, journal) = try new()
        try commit([entry(0)], &journal)
        let before = disk.state.withLock { ($0.writes, $0.syncs) }
        try commit((1..<100).map { entry($0) }, &journal)
        let after = disk.state.withLock { ($0.writes, $0.syncs) }
        #expect(after.0 - before.0 == 1)
        #expect(after.1 - before.1 == 1)
    }

    @Test func theNumbersOnDiskStay() throws {
        var (disk, journal) = try new()
        try commit([.fact(.ballotCeiling, [7, 8])], &journal)
        let image = try #require(disk.images[0])
        #expect(Array(image[0..<24]) == Array("STORMOJL".utf8) + [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
        #expect(Array(image[4_096..<4_144]) == Array(image[0..<48]))
        #expect(Array(image[8_192..<8_208]) == [0x53, 0x42, 0x4C, 0x4B, 1, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0])
        #expect(Array(image[8_208..<8_216]) == [0, 0x20, 0, 0, 0, 0, 0, 0])
        // Length, ordinal, checksum; kind 2, fact 1, length of the blob, the blob.
        #expect(Array(image[8_224..<8_232]) == [8, 0, 0, 0, 0, 0, 0, 0])
        #expect(Array(image[8_240..<8_248]) == [2, 1, 2, 0, 0, 0, 7, 8])
    }

    @Test func theTailIsCutWhereverTheLastBlockIsTorn() throws {
        var (disk, journal) = try new()
        try commit([entry(0), entry(1)], &journal)
        let before = try #require(disk.images[0])
        try commit([entry(2, bytes: 50), entry(3)], &journal)
        let after = try #require(disk.images[0])
        let first = try #require(before.indices.first { before[$0] != after[$0] })
        let last = try #require(before.indices.last { before[$0] != after[$0] })
        for end in first...last {
            let torn = MemoryDisk([0: Array(after[..<end]) + Array(before[end...])])
            let found = try recover(torn).entries
            #expect(found == [entry(0), entry(1)], "cut at \(end)")
            // The other way round: the front of the block is missing.
            let late = MemoryDisk([0: Array(before[...end]) + Array(after[(end + 1)...])])
            #expect(try recover(late).entries == [entry(0), entry(1)], "missing up to \(end)")
        }
        #expect(try recover(MemoryDisk([0: after])).entries.count == 4)
    }

    @Test func theJournalGoesOnAfterATornTail() throws {
        var (disk, journal) = try new(slots: 2)
        try commit([entry(0)], &journal)
        var image = disk.images
        try commit([entry(1)], &journal)
        // Half of the last block is there.
        let whole = try #require(disk.images[0])
        let half = 8_192 + 120 + 60
        image[0] = Array(whole[..<half]) + [UInt8](repeating: 0, count: whole.count - half)
        let torn = MemoryDisk(image)
        var (again, entries) = try recover(torn, seed: 2)
        #expect(entries == [entry(0)])
        try commit([entry(2)], &again)
        #expect(try recover(torn.afterCrash()).entries == [entry(0), entry(2)])
    }

    @Test func damageBelowTheSyncedEndIsReported() throws {
        var (disk, journal) = try new()
        try commit([entry(0)], &journal)
        let firstEnd = try #require(disk.images[0]?.lastIndex { $0 != 0 })
        try commit([entry(1)], &journal)
        let image = try #require(disk.images[0])
        for offset in 8_192...firstEnd {
            var damaged = image
            damaged[offset] ^= 0x40
            let error = #expect(throws: StorageOpenError.self, "at \(offset)") {
                _ = try recover(MemoryDisk([0: damaged]))
            }
            guard case .corrupt(let detail) = try #require(error) else {
                Issue.record("not corrupt: \(String(describing: error))")
                return
            }
            #expect(detail.contains("slot 0 at 8192"))
        }
    }

    @Test func theMarkMakesDamageOfTheLastBlockVisible() throws {
        var (disk, journal) = try new()
        try commit([entry(0)], &journal)
        try journal.mark()
        #expect(try recover(disk.afterCrash()).entries == [entry(0)])
        var image = try #require(disk.images[0])
        image[8_192 + 60] ^= 1
        #expect(throws: StorageOpenError.self) { _ = try recover(MemoryDisk([0: image])) }
    }

    @Test func damageInAnOlderSegmentIsReported() throws {
        var (disk, journal) = try new(slots: 2)
        try commit([entry(0)], &journal)
        #expect(journal.seal() == 1)
        try commit([entry(1)], &journal)
        var images = disk.images
        #expect(try recover(MemoryDisk(images)).entries == [entry(0), entry(1)])
        // The only block of the older one: nothing follows it there, but the next segment knows its end.
        images[0]?[8_192 + 70] ^= 1
        #expect(throws: StorageOpenError.self) { _ = try recover(MemoryDisk(images)) }
    }

    @Test func aMissingSegmentIsReported() throws {
        var (disk, journal) = try new(slots: 3)
        for number in 0..<3 {
            try commit([entry(number)], &journal)
            _ = journal.seal()
        }
        var images = disk.images
        images[1] = nil
        let error = #expect(throws: StorageOpenError.self) { _ = try recover(MemoryDisk(images)) }
        #expect("\(try #require(error))".contains("no segment of use 2"))
        #expect(throws: StorageOpenError.self) { _ = try recover(MemoryDisk(), flushed: 3) }
    }

    @Test func anUnknownVersionIsRefused() throws {
        var (disk, journal) = try new()
        try commit([entry(0)], &journal)
        var image = try #require(disk.images[0])
        for copy in [0, 4_096] {
            image[copy + 8] = 2
            let digest = XXH64.hash(Array(image[copy..<copy + 40]))
            for index in 0..<8 { image[copy + 40 + index] = UInt8(truncatingIfNeeded: digest >> UInt64(8 * index)) }
        }
        #expect(throws: StorageOpenError.unknownVersion(file: "slot 0", found: 2, known: 1)) {
            _ = try recover(MemoryDisk([0: image]))
        }
    }

    @Test func oneDamagedCopyOfTheHeaderIsEnough() throws {
        var (disk, journal) = try new()
        try commit([entry(0)], &journal)
        for copy in [0, 4_096] {
            var image = try #require(disk.images[0])
            image[copy + 20] ^= 1
            #expect(try recover(MemoryDisk([0: image])).entries == [entry(0)])
            image[(4_096 - copy) + 20] ^= 1
            #expect(throws: StorageOpenError.self) { _ = try recover(MemoryDisk([0: image])) }
        }
    }

    @Test func recordsOfAnEarlierUseNeverPass() throws {
        var (disk, journal) = try new()
        for number in 0..<40 { try commit([entry(number)], &journal) }
        #expect(journal.seal() == 1)
        journal.free(upTo: 1)
        // The same slot again: one block lies over the first of the old ones, the others are still behind it.
        try commit([entry(100)], &journal)
        #expect(journal.lastUse == 2)
        #expect(disk.images.count == 1)
        #expect(try recover(disk.afterCrash(), flushed: 1).entries == [entry(100)])
        // Nor do they when the new use ends exactly where an old block begins, and not when only the header is new.
        var header = disk.images
        header[0]?.replaceSubrange(8_192..., with: repeatElement(0, count: (64 << 10) - 8_192))
        #expect(try recover(MemoryDisk(header), flushed: 1).entries == [])
    }

    @Test func aCrashWhileASegmentIsTakenAgainLosesNothing() throws {
        var (disk, journal) = try new(slots: 2)
        try commit([entry(0)], &journal)
        _ = journal.seal()
        try commit([entry(1)], &journal)
        _ = journal.seal()
        journal.free(upTo: 1)
        let old = disk.images
        try commit([entry(2)], &journal)
        let new = disk.images
        // The header's first copy torn at every byte: slot 0 still has its old use, which is not needed any more.
        for end in 0...48 {
            var images = old
            images[0]?.replaceSubrange(0..<end, with: try #require(new[0])[0..<end])
            let (again, entries) = try recover(MemoryDisk(images), flushed: 1)
            #expect(entries == [entry(1)])
            #expect(again.lastUse == (end == 48 || images[0]?[0..<48] == new[0]?[0..<48] ? 3 : 2), "torn at \(end)")
        }
    }

    @Test func aFullSegmentIsFollowedByTheNext() throws {
        var (disk, journal) = try new(slots: 3, bytes: 16 << 10)
        let all = (0..<150).map { entry($0) }
        for entry in all { try commit([entry], &journal) }
        #expect(journal.lastUse > 1)
        #expect(try recover(disk.afterCrash()).entries == all)
    }

    @Test func aBlockLargerThanASegmentMakesItGrow() throws {
        var (disk, journal) = try new(slots: 3, bytes: 16 << 10)
        let all = [entry(0), entry(1, bytes: 40 << 10), entry(2)]
        for entry in all { try commit([entry], &journal) }
        #expect(try recover(disk.afterCrash()).entries == all)
    }

    @Test func withoutAFreeSegmentACommitWaits() throws {
        var (_, journal) = try new()
        try commit([entry(0)], &journal)
        #expect(journal.seal() == 1)
        #expect(throws: JournalFailure.noSegment) { try commit([entry(1)], &journal) }
        #expect(journal.wanted() == JournalSlot(number: 1, bytes: 64 << 10))
        #expect(journal.wanted() == nil)
        journal.free(upTo: 1)
        try commit([entry(1)], &journal)
        #expect(journal.lastUse == 2)
    }

    @Test func moreThanTheBoundIsNeverWanted() throws {
        var (disk, journal) = try new(slots: 4)
        for number in 0..<4 {
            try commit([entry(number)], &journal)
            _ = journal.seal()
        }
        #expect(journal.wanted() == nil)
        #expect(disk.images.count == 4)
    }

    @Test func afterAFailedSyncTheBlockGoesToAFreshSegment() throws {
        var (disk, journal) = try new(slots: 2)
        try commit([entry(0)], &journal)
        disk.state.withLock { $0.syncFailures = 1 }
        #expect(throws: JournalFailure.self) { try commit([entry(1)], &journal) }
        // What is not durable must not be needed: the crash comes right now.
        #expect(try recover(disk.afterCrash()).entries == [entry(0)])
        try commit([entry(1)], &journal)
        #expect(journal.lastUse == 2)
        #expect(try recover(disk.afterCrash()).entries == [entry(0), entry(1)])
    }

    @Test func aFailedBlockThatReachedTheDiskAllTheSameIsNotReplayedTwice() throws {
        var (disk, journal) = try new(slots: 2)
        try commit([entry(0)], &journal)
        var wouldBe = disk.images
        try commit([entry(1)], &journal)
        let written = disk.images

        (disk, journal) = try new(slots: 2)
        try commit([entry(0)], &journal)
        #expect(disk.images == wouldBe)
        disk.state.withLock { $0.syncFailures = 1 }
        #expect(throws: JournalFailure.self) { try commit([entry(1)], &journal) }
        try commit([entry(1)], &journal)
        wouldBe = disk.images
        wouldBe[0] = written[0]
        #expect(try recover(MemoryDisk(wouldBe)).entries == [entry(0), entry(1)])
    }

    @Test func failuresOfTheFirstBlockOfASegmentAreRepeatedInPlace() throws {
        for failing in 1...3 {
            var (disk, journal) = try new(slots: 2)
            disk.state.withLock { $0.syncFailures = failing }
            for _ in 0..<failing { #expect(throws: JournalFailure.self) { try commit([entry(0)], &journal) } }
            try commit([entry(0)], &journal)
            try commit([entry(1)], &journal)
            #expect(journal.lastUse == 1)
            #expect(try recover(disk.afterCrash()).entries == [entry(0), entry(1)])
        }
    }

    @Test func aFullDiskIsToldApart() throws {
        var (disk, journal) = try new()
        disk.state.withLock {
            $0.writeFailures = 1
            $0.code = ENOSPC
        }
        let error = #expect(throws: JournalFailure.self) { try commit([entry(0)], &journal) }
        guard case .disk(let failure) = try #require(error) else {
            Issue.record("expected a failure of the disk")
            return
        }
        #expect(failure.isFull)
    }

    @Test func crashesAtAnyWriteKeepWhatWasDurable() throws {
        // Random commits, seals, frees and failures; at each step a crash keeps any part of what was not synced.
        for seed in 0..<60 {
            var numbers = Numbers(UInt64(seed))
            var (disk, journal) = try new(slots: 3, bytes: 16 << 10)
            var uses: [(entries: [JournalEntry], use: UInt64)] = []
            var flushed: UInt64 = 0
            for step in 0..<80 {
                switch Int.random(in: 0..<10, using: &numbers) {
                case 0: _ = journal.seal()
                case 1:
                    flushed = journal.seal()
                    journal.free(upTo: flushed)
                    uses.removeAll { $0.use <= flushed }
                case 2: disk.state.withLock { $0.syncFailures = 1 }
                default:
                    let entries = (0..<Int.random(in: 1...5, using: &numbers)).map { entry(step * 10 + $0) }
                    do {
                        try commit(entries, &journal)
                        uses.append((entries, journal.lastUse))
                    } catch JournalFailure.noSegment {
                        flushed = journal.seal()
                        journal.free(upTo: flushed)
                        uses.removeAll { $0.use <= flushed }
                    } catch {}
                }
                let crashed = disk.afterCrash { Int.random(in: 0...$0, using: &numbers) }
                let (_, found) = try recover(crashed, flushed: flushed, seed: 77)
                let durable = uses.flatMap(\.entries)
                #expect(Array(found.prefix(durable.count)) == durable, "seed \(seed) step \(step)")
                // What recovery gave is durable: a second crash finds the same.
                #expect(try recover(crashed.afterCrash(), flushed: flushed).entries == found)
            }
        }
    }
}
