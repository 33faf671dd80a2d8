import EnergyRules
import StormoClient
import Testing
import Wire

@testable import Energy

@Suite struct EnergyIngestTests {
    /// 2024-05-19T12:00:00Z.
    private let now: Int64 = 1_716_120_000_000

    private func record(_ piano: Int, second: Int64, kw: Double = 5) throws -> [UInt8] {
        let reading = Reading(piano: piano, kwh: 1, kw: kw, amp: 1, volt: 230, timestampMs: now + second * 1_000)
        return try ReadingDocument(reading).encoded()
    }

    private func plan(_ values: [[UInt8]]) -> IngestPlan {
        IngestPlan(values: values, nowMs: now, limits: ReadingLimits())
    }

    @Test func latestIsTheNewestByTimeNotTheLastToCome() throws {
        let plan = plan([
            try record(1, second: -60), try record(2, second: -50), try record(1, second: -30),
            try record(1, second: -40),
        ])
        #expect(plan.readings.count == 4)
        #expect(plan.newest.map(\.piano) == [1, 2])
        #expect(plan.newest.map(\.timestampMs) == [now - 30_000, now - 50_000])
    }

    @Test func theSameMomentTwiceIsOneKey() throws {
        let plan = plan([
            try record(1, second: -60, kw: 1), try record(2, second: -60, kw: 2), try record(1, second: -60, kw: 3),
        ])
        #expect(plan.readings.map(\.kw) == [3, 2])
        #expect(plan.newest.map(\.kw) == [3, 2])
        #expect(plan.duplicates == 1)
    }

    @Test func whatIsNoReadingIsNamedAndTheRestGoesOn() throws {
        let plan = plan([
            Array("not json".utf8), try record(1, second: 0), Array(#"{"piano":1}"#.utf8), try record(1, second: 3_600),
            [],
        ])
        #expect(plan.readings.count == 1)
        #expect(plan.dead.map(\.index) == [0, 2, 3, 4])
        #expect(plan.dead[0].reason.hasPrefix("not JSON"))
        #expect(plan.dead[1].reason.contains("sensore2_kw: is missing"))
        #expect(plan.dead[2].reason.contains("timestamp"))
    }

    @Test func whatIsNoReadingBecomesADeadLetterThatCanBeReplayed() throws {
        let values = [try record(1, second: 0), Array("not json".utf8)]
        let records = values.enumerated().map { index, value in
            PositionedRecord(
                position: RecordPosition(partition: 3, offset: Offset(40 + index)),
                record: Record(
                    key: Array("1".utf8), value: value, headers: [.init(name: "trace", value: [1])], timestampMs: 5))
        }
        let plan = plan(values)
        let letters = Ingestor.letters(plan.dead, of: records, group: "g")
        let letter = try #require(letters.first.flatMap { DeadLetter($0) })
        #expect(letters.count == 1 && letter.topic == EnergyTopics.readings && letter.group == "g")
        #expect(letter.position == RecordPosition(partition: 3, offset: 41) && letter.attempts == 1)
        #expect(letter.reason.hasPrefix("not JSON"))
        #expect(DeadLetter.original(of: letters[0]) == records[1].record)
    }

    @Test func latestNeverGoesBack() {
        var cache = LatestCache(floorsMax: 10)
        let first = Ballot(time: HybridTime(1), node: NodeID(1))
        #expect(cache.step(floor: 1, timestampMs: 100) == .write(.absent))
        cache.note(floor: 1, LatestCache.Entry(timestampMs: 100, version: first))
        #expect(cache.step(floor: 1, timestampMs: 99) == .skip)
        #expect(cache.step(floor: 1, timestampMs: 100) == .skip)
        #expect(cache.step(floor: 1, timestampMs: 101) == .write(.version(first)))
        cache.note(floor: 1, nil)
        #expect(cache.step(floor: 1, timestampMs: 1) == .write(.absent))
    }

    @Test func theMemoryOfLatestIsBounded() {
        var cache = LatestCache(floorsMax: 2)
        let version = Ballot(time: HybridTime(1), node: NodeID(1))
        for floor in 1...3 { cache.note(floor: floor, LatestCache.Entry(timestampMs: 5, version: version)) }
        #expect(cache.overflows == 1)
        #expect(cache.step(floor: 1, timestampMs: 1) == .write(.absent))
        #expect(cache.step(floor: 3, timestampMs: 1) == .skip)
    }

    @Test func keptFloorsAreTheFirstSeen() throws {
        var kept = KeptFloors([5, 1])
        let grew = kept.add([9, 1, 3, 7], most: 4)
        #expect(grew)
        #expect(kept.floors == [1, 3, 5, 9])
        let grewBeyond = kept.add([7, 8], most: 4)
        #expect(!grewBeyond)
        #expect(kept.contains(9) && !kept.contains(7))
        #expect(try EnergyJSON.decode(KeptFloors.self, EnergyJSON.encode(kept)) == kept)
    }
}

@Suite struct EnergyHistoryWalkTests {
    /// Walks over readings `intervalMs` apart that begin at `firstMs`, and returns the times found and the windows.
    private func walk(
        newestMs: Int64, firstMs: Int64, intervalMs: Int64, sinceMs: Int64 = 0, limit: Int
    ) -> (found: [Int64], windows: Int) {
        var walk = HistoryWalk(newestMs: newestMs, sinceMs: sinceMs, limit: limit)
        let all = stride(from: firstMs, through: newestMs, by: Int(intervalMs)).map { $0 }
        var found: [Int64] = []
        var windows = 0
        while let window = walk.next() {
            windows += 1
            let inside = all.filter { $0 >= window.fromMs && $0 <= window.toMs }.suffix(walk.wanted)
            walk.found(inside.count)
            found += inside.reversed()
        }
        return (found, windows)
    }

    @Test func theNewestComeFirstEachOnce() {
        let now: Int64 = 1_716_120_000_000
        let (found, windows) = walk(newestMs: now, firstMs: now - 30_000 * 999, intervalMs: 30_000, limit: 10)
        #expect(found == (0..<10).map { now - 30_000 * $0 })
        #expect(windows <= 3)
    }

    @Test func aSilentFloorIsFoundInFewSteps() {
        let now: Int64 = 1_716_120_000_000
        let years: Int64 = 3 * 365 * 86_400_000
        let (found, windows) = walk(newestMs: now, firstMs: now - years, intervalMs: years, limit: 5)
        #expect(found == [now, now - years])
        #expect(windows <= 10)
    }

    @Test func boundsAreKept() {
        let (found, _) = walk(newestMs: 1_000_000, firstMs: 0, intervalMs: 1_000, sinceMs: 998_000, limit: 100)
        #expect(found == [1_000_000, 999_000, 998_000])
        #expect(walk(newestMs: 10, firstMs: 0, intervalMs: 1, sinceMs: 11, limit: 5).found == [])
        #expect(walk(newestMs: 10, firstMs: 0, intervalMs: 1, limit: 0).windows == 0)
    }
}

@Suite struct EnergyNotificationTests {
    private func alert(_ piano: Int, second: Int64, read: Bool = false) -> AlertDocument {
        var document = AlertDocument(
            Alert(piano: piano, type: .kwOver, value: 11, threshold: 10, severity: .info, timestampMs: second * 1_000))
        document.read = read
        return document
    }

    @Test func newestFirstAndOnlyWhatIsKept() {
        let alerts = [
            alert(1, second: 10), alert(2, second: 30, read: true), alert(1, second: 20), alert(3, second: 30),
        ]
        func ids(limit: Int = 10, kept: Int = 10, since: Int64? = nil, unread: Bool? = nil) -> [String] {
            NotificationList.select(alerts, kept: kept, limit: limit, sinceMs: since, unread: unread).map(\.id)
        }
        #expect(ids() == ["2:30:kw_over", "3:30:kw_over", "1:20:kw_over", "1:10:kw_over"])
        #expect(ids(limit: 2) == ["2:30:kw_over", "3:30:kw_over"])
        #expect(ids(since: 20_000) == ["2:30:kw_over", "3:30:kw_over", "1:20:kw_over"])
        #expect(ids(unread: true) == ["3:30:kw_over", "1:20:kw_over", "1:10:kw_over"])
        #expect(ids(unread: false) == ["2:30:kw_over"])
        // What is beyond the newest kept is not there, whatever is asked.
        #expect(ids(kept: 3, unread: true) == ["3:30:kw_over", "1:20:kw_over"])
    }

    @Test func theSurplusIsTheOldest() {
        let ids = ["1:10:kw_over", "2:30:kw_over", "1:20:kw_over", "3:30:kw_over"].compactMap { AlertID($0) }
        #expect(NotificationList.surplus(ids, kept: 3).map(\.text) == ["1:10:kw_over"])
        #expect(NotificationList.surplus(ids, kept: 4) == [])
    }

    @Test func equalAlertsWithinTheWindowAreOne() {
        let last = LastAlert(id: "1:100:kw_over", timestampMs: 100_000)
        func decide(_ second: Int64, inOrder: Bool = true, last: LastAlert? = last) -> LastAlert.Decision {
            LastAlert.decide(
                id: "1:\(second):kw_over", timestampMs: second * 1_000, last: last, windowMs: 60_000, inOrder: inOrder)
        }
        #expect(decide(100, last: nil) == .accept)
        #expect(decide(100) == .again)
        #expect(decide(159) == .suppress)
        #expect(decide(160) == .accept)
        // A detector that judges a second time: nothing new comes of what lies before.
        #expect(decide(99) == .complete)
        #expect(decide(10) == .complete)
        // Reports from outside come in any order.
        #expect(decide(41, inOrder: false) == .suppress)
        #expect(decide(40, inOrder: false) == .accept)
    }

    @Test func theSurplusIsRemovedAtFirstAndThenEveryFewAlerts() {
        let counter = RaisedCounter()
        #expect(counter.add(1, every: 3))
        #expect([1, 1, 1, 1].map { counter.add($0, every: 3) } == [false, false, true, false])
    }
}

@Suite struct EnergyDetectorMemoryTests {
    private func reading(_ piano: Int, second: Int64 = 1_700_000_000, kw: Double = 5) -> Reading {
        Reading(piano: piano, kwh: 1, kw: kw, amp: 1, volt: 230, timestampMs: second * 1_000)
    }

    @Test func eachFloorIsLoadedOnceAndWrittenUnderItsVersion() {
        var memory = DetectorMemory(settings: EnergyAgentSettings())
        let batch = [reading(2), reading(1), reading(2)]
        #expect(memory.unknownFloors(in: batch) == [2, 1])
        let version = Ballot(time: HybridTime(7), node: NodeID(1))
        memory.load(floor: 2, state: nil, version: nil)
        memory.load(floor: 1, state: FloorState(), version: version)
        #expect(memory.unknownFloors(in: batch) == [])
        #expect(memory.condition(floor: 2) == .absent)
        #expect(memory.condition(floor: 1) == .version(version))
        memory.stored(floor: 2, version: version)
        #expect(memory.condition(floor: 2) == .version(version))
        memory.stored(floor: 2, version: nil)
        #expect(memory.unknownFloors(in: batch) == [2])
    }

    @Test func aFullMemoryStartsAfresh() {
        var settings = EnergyAgentSettings()
        settings.floorsInMemoryMax = 3
        var memory = DetectorMemory(settings: settings)
        for floor in 1...3 { memory.load(floor: floor, state: nil, version: nil) }
        #expect(memory.unknownFloors(in: [reading(4), reading(1)]) == [4, 1])
    }

    /// A detector dies after any of its readings and another takes over from the stored states, reading again from
    /// before that point: together they raise what one would have raised.
    @Test func takingOverRaisesNothingTwiceAndLosesNothing() throws {
        let powers: [Double] = [9, 11, 12, 9, 11, 11, 9, 9, 12, 9]
        let readings = powers.enumerated().map { reading(1, second: 1_700_000_000 + Int64($0) * 30, kw: $1) }
        func judge(_ memory: inout DetectorMemory, _ readings: some Sequence<Reading>) -> [String] {
            readings.flatMap {
                memory.detector.handle($0, thresholds: Thresholds(), nowMs: 1_800_000_000_000).map(\.id)
            }
        }
        var whole = DetectorMemory(settings: EnergyAgentSettings())
        let expected = judge(&whole, readings)
        #expect(expected.count == 3)
        for death in 0...readings.count {
            for reread in 0...death {
                var first = DetectorMemory(settings: EnergyAgentSettings())
                var raised = judge(&first, readings[..<death])
                let document = first.detector.state(floor: 1).map {
                    DetectorDocument(partition: 0, offset: UInt64(death), state: $0)
                }
                let stored = try document.map { try EnergyJSON.encode($0) }
                var second = DetectorMemory(settings: EnergyAgentSettings())
                let loaded = try stored.map { try EnergyJSON.decode(DetectorDocument.self, $0) }
                second.load(floor: 1, state: loaded?.state, version: nil)
                raised += judge(&second, readings[(death - reread)...])
                #expect(raised == expected)
            }
        }
    }
}

@Suite struct EnergyOutgoingTests {
    private func readings(_ range: Range<Int64>) -> [Reading] {
        range.map { Reading(piano: 1, kwh: 0, kw: 0, amp: 0, volt: 0, timestampMs: $0) }
    }

    @Test func theOldestGoFirstWhenTheBufferIsFull() {
        var buffer = OutgoingBuffer(most: 5)
        buffer.append(readings(0..<4))
        #expect(buffer.room == 1)
        buffer.append(readings(4..<8))
        #expect(buffer.dropped == 3)
        #expect(buffer.first(10).map(\.timestampMs) == [3, 4, 5, 6, 7])
    }

    @Test func whatWasPublishedIsRemovedAndNothingElse() {
        var buffer = OutgoingBuffer(most: 5)
        buffer.append(readings(0..<5))
        let before = buffer.dropped
        let batch = buffer.first(3)
        // Two readings are dropped while the batch of three is on its way.
        buffer.append(readings(5..<7))
        buffer.remove(batch, droppedBefore: before)
        #expect(buffer.first(10).map(\.timestampMs) == [3, 4, 5, 6])
        buffer.append(readings(7..<12))
        #expect(buffer.first(10).map(\.timestampMs) == [7, 8, 9, 10, 11])
        buffer.remove(batch, droppedBefore: before)
        #expect(buffer.count == 5)
    }

    @Test func resultsComeInTheOrderOfTheItems() async throws {
        let results = try await pipelined(Array(0..<200), inFlightMax: 7) { item throws(ClientError) in
            if item % 3 == 0 { await Task.yield() }
            return item * 2
        }
        #expect(results == (0..<200).map { $0 * 2 })
        let none = try await pipelined([Int](), inFlightMax: 7) { item throws(ClientError) in item }
        #expect(none == [])
    }

    @Test func theFirstFailureIsThrown() async {
        await #expect(throws: ClientError.noQuorum("7")) {
            try await pipelined(Array(0..<20), inFlightMax: 1) { item throws(ClientError) in
                if item == 7 { throw .noQuorum("7") }
                return item
            }
        }
    }
}
