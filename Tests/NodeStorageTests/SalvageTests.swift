import Glibc
import NodeCore
import Testing
import Wire

@testable import NodeStorage

/// How a node goes on without its database.
@Suite(.timeLimit(.minutes(2))) struct SalvageTests {
    private func filled(_ directory: TemporaryDirectory) throws {
        let test = try TestEngine(directory)
        let value = String(repeating: "v", count: 300)
        for number in 0..<300 { test.apply(.register(Key("k\(number)"), state(1, value))) }
        test.apply(.log(partition, facts()), .append(partition, [try batch(0, 50)]))
        test.apply(.fact(.ring, [1, 2, 3]), .fact(.peers, [1]))
        test.drain()
        // These are in the journal alone.
        test.apply(.fact(.peers, [2]), .fact(.ballotCeiling, [9]), .register(Key("late"), state(1, "v")))
        test.settle()
        try test.engine.close()
    }

    private func damage(_ directory: TemporaryDirectory) throws {
        let path = directory.path + "/state.sqlite"
        for page in 1..<(try read(path).count / PageChecks.pageBytes) {
            try flip(path, at: page * PageChecks.pageBytes + 9)
        }
    }

    private func openError(_ directory: TemporaryDirectory, salvage: Bool = false) -> StorageOpenError? {
        do {
            try TestEngine(directory, salvage: salvage).engine.close()
            return nil
        } catch { return error as? StorageOpenError }
    }

    private func isCorrupt(_ error: StorageOpenError?) -> Bool {
        if case .corrupt? = error { return true }
        return false
    }

    private func isIdentityLost(_ error: StorageOpenError?) -> Bool {
        if case .identityLost? = error { return true }
        return false
    }

    @Test func aNodeGoesOnWithItsFactsAndNothingElse() throws {
        let directory = TemporaryDirectory()
        try filled(directory)
        for round in 1...2 {
            try damage(directory)
            #expect(isCorrupt(openError(directory)))
            let test = try TestEngine(directory, salvage: true)
            #expect(test.engine.damage == nil && test.engine.readOnlyReason == nil)
            #expect(try test.keys() == [] && test.value("late") == nil)
            #expect(test.engine.recoveredLogs() == [])
            #expect(try test.offsets(from: 0) == [])
            #expect(!PosixDirectory.exists(directory.path + "/logs"))
            #expect(test.engine.fact(.ring) == [1, 2, 3])
            #expect(test.engine.fact(.peers) == [2] && test.engine.fact(.ballotCeiling) == [9])
            let reason = String(decoding: try #require(test.engine.fact(.amnesia)), as: UTF8.self)
            #expect(reason.contains("damaged-\(round)"))
            #expect(LogLosses.decode(test.engine.fact(.logsLost)) == UInt64(round))
            #expect(PosixDirectory.exists(directory.path + "/damaged-\(round)/state.sqlite"))
            // It is a node like any other from then on.
            test.apply(.register(Key("a"), state(5, "one")), .log(partition, facts(77)))
            test.apply(.append(partition, [try batch(0, 3)]))
            test.drain()
            test.apply(.register(Key("b"), state(5, "two")))
            try test.engine.close()
            let again = try TestEngine(directory)
            #expect(try again.keys() == ["a", "b"])
            #expect(try again.offsets(from: 0) == [0])
            #expect(again.engine.fact(.ring) == [1, 2, 3] && again.engine.fact(.peers) == [2])
            #expect(LogLosses.decode(again.engine.fact(.logsLost)) == UInt64(round))
            again.engine.flush()
            try again.engine.close()
        }
    }

    @Test func damageFoundWhileItRunsIsTold() throws {
        let directory = TemporaryDirectory()
        try filled(directory)
        let test = try TestEngine(directory)
        test.drain()
        try damage(directory)
        let error = #expect(throws: StoreError.self) { _ = try test.engine.register(Key("k7")) }
        #expect("\(try #require(error))".contains("state.sqlite: page "))
        #expect(test.engine.damage == (error.map { "\($0)".replacing("stored data is damaged: ", with: "") }))
        #expect(test.engine.statistics["damaged"] == 1)
        try test.engine.close()
        let again = try TestEngine(directory, salvage: true)
        #expect(again.engine.damage == nil)
        #expect(again.engine.fact(.ring) == [1, 2, 3])
        try again.engine.close()
    }

    @Test func damageFoundByTheBackgroundIsTold() throws {
        let directory = TemporaryDirectory()
        try filled(directory)
        let test = try TestEngine(directory) { $0.sqliteCacheBytes = 1 << 20 }
        test.drain()
        try damage(directory)
        for number in 0..<300 { test.apply(.register(Key("k\(number)"), state(2, "new"))) }
        test.engine.flush()
        test.until { test.engine.damage != nil && test.engine.readOnlyReason != nil }
        #expect(try #require(test.engine.readOnlyReason).contains("stored data is damaged"))
        #expect(try test.value("k7") == "new")
        try test.engine.close()
        #expect(openError(directory, salvage: true) == nil)
    }

    @Test func withoutFactsThereIsNoGoingOn() throws {
        let whole = TemporaryDirectory()
        try filled(whole)
        let flipped = try whole.copy()
        try flip(flipped.path + "/FACTS", at: 30)
        let missing = try whole.copy()
        unlink(missing.path + "/FACTS")
        for directory in [flipped, missing] {
            // A whole database mends it.
            let mended = try directory.copy()
            #expect(openError(mended) == nil)
            #expect(try FactsFile.load(from: mended.path)?.facts[.peers] == [2])

            try damage(directory)
            let before = try read(directory.path + "/state.sqlite")
            #expect(isIdentityLost(openError(directory, salvage: true)))
            #expect(try read(directory.path + "/state.sqlite") == before)
            #expect(PosixDirectory.exists(directory.path + "/logs"))
        }
        let journal = try whole.copy()
        try damage(journal)
        try flip(journal.path + "/journal/0000.journal", at: 8_192 + 50)
        #expect(isIdentityLost(openError(journal, salvage: true)))
    }

    @Test func aCrashInTheMiddleIsNoLoss() throws {
        let directory = TemporaryDirectory()
        try filled(directory)
        // The database was moved, and no more.
        unlink(directory.path + "/state.sqlite")
        #expect(isCorrupt(openError(directory)))
        // All was done but the new database.
        #expect(openError(directory, salvage: true) == nil)
        unlink(directory.path + "/state.sqlite")
        #expect(isCorrupt(openError(directory)))
        let test = try TestEngine(directory, salvage: true)
        #expect(test.engine.fact(.peers) == [2] && test.engine.fact(.ballotCeiling) == [9])
        #expect(LogLosses.decode(test.engine.fact(.logsLost)) == 2)
        try test.engine.close()
    }

    @Test func theNewestFactsAreKeptWhateverTheJournalStillHolds() throws {
        let directory = TemporaryDirectory()
        let test = try TestEngine(directory) {
            $0.memtableBytesMax = 64 << 10
            $0.journalSegmentBytes = 64 << 10
            $0.journalSegmentsMax = 4
        }
        var numbers = Numbers(3)
        for round in 0..<40 {
            if Int.random(in: 0..<3, using: &numbers) == 0 { test.apply(.fact(.peers, [UInt8(round)])) }
            test.apply(.fact(.ballotCeiling, [UInt8(round)]))
            for number in 0..<Int.random(in: 1..<400, using: &numbers) {
                test.apply(.register(Key("k\(number)"), state(UInt64(round + 1), "v")))
            }
            test.settle()
            let copy = try directory.copy()
            let peers = test.engine.fact(.peers)
            unlink(copy.path + "/state.sqlite")
            let salvaged = try TestEngine(copy, salvage: true)
            #expect(salvaged.engine.fact(.peers) == peers && salvaged.engine.fact(.ballotCeiling) == [UInt8(round)])
            #expect(try salvaged.keys() == [])
            try salvaged.engine.close()
            if round % 3 == 0 { test.drain() }
        }
        try test.engine.close()
    }
}
