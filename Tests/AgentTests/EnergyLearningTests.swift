import EnergyRules
import Testing
import Wire

@testable import Energy

/// What detectors learn together when they die or take each other's floor over in the middle of a batch.
@Suite struct EnergyLearningTests {
    /// Registers of one floor, with versions.
    private struct Registers {
        private(set) var detector: (value: [UInt8], version: Ballot)?
        private(set) var baseline: (value: [UInt8], version: Ballot)?
        private var next: UInt64 = 1

        private mutating func version() -> Ballot {
            defer { next += 1 }
            return Ballot(time: HybridTime(next), node: NodeID(1))
        }

        mutating func setDetector(_ value: [UInt8], if condition: Condition) -> Ballot? {
            let holds: Condition = detector.map { .version($0.version) } ?? .absent
            guard holds == condition else { return nil }
            let version = version()
            detector = (value, version)
            return version
        }

        mutating func setBaseline(_ value: [UInt8], if known: Ballot?) -> Bool {
            guard baseline?.version == known else { return false }
            baseline = (value, version())
            return true
        }
    }

    /// The steps of a batch, in their order; a detector may die after any of them.
    private enum Step: Int, CaseIterable {
        case judged, learnedEarly, kept, learned
    }

    private struct Overtaken: Error {}

    /// A detector of one floor as `Detector` goes about it.
    private struct Worker {
        var memory: DetectorMemory
        let settings: EnergyAgentSettings
        private var learning: (observations: [Observation], stored: LearnedBaseline?, version: Ballot?)?

        init(_ settings: EnergyAgentSettings) {
            self.settings = settings
            memory = DetectorMemory(settings: settings)
        }

        mutating func judge(_ readings: ArraySlice<Reading>, _ registers: Registers) throws {
            if !memory.unknownFloors(in: Array(readings)).isEmpty {
                let document = try registers.detector.map { try EnergyJSON.decode(DetectorDocument.self, $0.value) }
                memory.load(
                    floor: 1, state: document?.state, waiting: document?.waiting ?? [],
                    version: registers.detector?.version)
            }
            for reading in readings {
                _ = memory.handle(reading, thresholds: Thresholds(), nowMs: 1_800_000_000_000)
            }
        }

        mutating func learn(_ floors: [Int], offset: Int, _ registers: inout Registers) throws {
            guard !floors.isEmpty else { return }
            try beginLearning(registers)
            try endLearning(offset: offset, &registers)
        }

        /// Reads the baseline; the write comes later.
        mutating func beginLearning(_ registers: Registers) throws {
            learning = (
                memory.waiting(floor: 1),
                try registers.baseline.map { try EnergyJSON.decode(LearnedBaseline.self, $0.value) },
                registers.baseline?.version
            )
        }

        mutating func endLearning(offset: Int, _ registers: inout Registers) throws {
            guard let learning else { return }
            let learned = LearnedBaseline.learning(
                learning.observations, stored: learning.stored, partition: 0, offset: UInt64(offset),
                settings: settings.rules.baseline)
            if let learned, !registers.setBaseline(try EnergyJSON.encode(learned), if: learning.version) {
                throw Overtaken()
            }
            memory.learned(floor: 1)
        }

        mutating func keep(offset: Int, _ registers: inout Registers) throws {
            guard let state = memory.detector.state(floor: 1) else { return }
            let waiting = memory.waiting(floor: 1)
            let document = DetectorDocument(
                partition: 0, offset: UInt64(offset), state: state, alerts: nil,
                waiting: waiting.isEmpty ? nil : waiting)
            let value = try EnergyJSON.encode(document)
            guard let version = registers.setDetector(value, if: memory.condition(floor: 1)) else { throw Overtaken() }
            memory.stored(floor: 1, version: version)
        }

        /// A whole batch, up to and including `last`.
        mutating func run(
            _ readings: [Reading], _ range: Range<Int>, until last: Step = .learned, _ registers: inout Registers
        ) throws {
            try judge(readings[range], registers)
            if last.rawValue >= Step.learnedEarly.rawValue {
                try learn(memory.floorsOverfull(of: [1]), offset: range.upperBound, &registers)
            }
            if last.rawValue >= Step.kept.rawValue { try keep(offset: range.upperBound, &registers) }
            if last == .learned { try learn(memory.floorsToLearn(of: [1]), offset: range.upperBound, &registers) }
        }
    }

    private let settings = {
        var settings = EnergyAgentSettings()
        settings.baselineEvery = 5
        settings.baselineWaitingMax = 8
        return settings
    }()

    private let readings: [Reading] = (0..<60).map { index in
        // Ten minutes apart, the register exchanged once, every ninth reading a duplicate of the one before.
        let place = Int64(index - index / 9)
        return Reading(
            piano: 1, kwh: index < 30 ? Double(index) / 7 : Double(index - 30) / 3,
            kw: 5 + Double(index * index % 17) / 13, amp: 10 + Double(index % 5) / 3, volt: 230.1,
            timestampMs: 1_715_558_400_000 + place * 600_000)
    }

    /// One pass over all readings, in time order.
    private var expected: Baseline {
        var detector = ThresholdDetector()
        var baseline = Baseline()
        for reading in readings {
            let before = detector.state(floor: 1)
            _ = detector.handle(reading, thresholds: Thresholds(), nowMs: 1_800_000_000_000)
            if before?.lastTimestampMs != reading.timestampMs {
                baseline.learn(Observation(reading, after: before))
            }
        }
        return baseline
    }

    /// What readers of the registers are told.
    private func told(_ registers: Registers) throws -> Baseline? {
        let judged = try registers.detector.map { try EnergyJSON.decode(DetectorDocument.self, $0.value) }
        let stored = try registers.baseline.map { try EnergyJSON.decode(LearnedBaseline.self, $0.value) }
        let learned = LearnedBaseline.learning(
            judged?.waiting ?? [], stored: stored, partition: 0, offset: 0, settings: settings.rules.baseline)
        return (learned ?? stored)?.baseline
    }

    @Test(arguments: [1, 3, 7, 20, 60])
    func theBatchesDoNotMatter(size: Int) throws {
        var registers = Registers()
        var worker = Worker(settings)
        for start in stride(from: 0, to: readings.count, by: size) {
            try worker.run(readings, start..<min(readings.count, start + size), &registers)
        }
        #expect(try told(registers) == expected)
        let stored = try #require(try registers.baseline.map { try EnergyJSON.decode(LearnedBaseline.self, $0.value) })
        #expect(stored.offset > 50 && stored.offset <= 60)
    }

    /// A detector dies after any step of any batch, and the next one reads again from any earlier batch.
    @Test func whoeverDiesAndWheneverNothingIsLearnedTwiceOrMissed() throws {
        for size in [4, 13] {
            let batches = stride(from: 0, to: readings.count, by: size).map { $0..<min(readings.count, $0 + size) }
            for death in batches.indices {
                for step in Step.allCases {
                    for again in 0...death {
                        var registers = Registers()
                        var first = Worker(settings)
                        for batch in batches[..<death] { try first.run(readings, batch, &registers) }
                        try first.run(readings, batches[death], until: step, &registers)
                        var second = Worker(settings)
                        for batch in batches[again...] { try second.run(readings, batch, &registers) }
                        #expect(try told(registers) == expected, "\(size) \(death) \(step) \(again)")
                    }
                }
            }
        }
    }

    /// A detector stops between reading and writing a baseline, another takes over and goes on, then the first writes.
    @Test func whoHasLostTheFloorChangesNothing() throws {
        for stop in [8, 16, 24] {
            for ahead in [0, 4, 12, 20] {
                var registers = Registers()
                var stale = Worker(settings)
                for start in stride(from: 0, to: stop, by: 4) {
                    try stale.run(readings, start..<start + 4, until: .kept, &registers)
                }
                // Goes on to a batch that it does not own any more.
                try stale.judge(readings[stop..<stop + 4], registers)
                try stale.beginLearning(registers)
                let version = registers.baseline?.version
                var owner = Worker(settings)
                for start in stride(from: stop, to: stop + ahead, by: 4) {
                    try owner.run(readings, start..<start + 4, &registers)
                }
                let hasMoved = registers.baseline?.version != version
                do {
                    try stale.endLearning(offset: stop + 4, &registers)
                    #expect(!hasMoved)
                } catch is Overtaken {
                    #expect(hasMoved)
                }
                if ahead > 0 {
                    #expect(throws: Overtaken.self) { try stale.keep(offset: stop + 4, &registers) }
                }
                for start in stride(from: stop + ahead, to: readings.count, by: 4) {
                    try owner.run(readings, start..<start + 4, &registers)
                }
                #expect(try told(registers) == expected, "\(stop) \(ahead)")
            }
        }
    }

    @Test func baselinesAreNotWrittenForEveryReadingNorAllAtOnce() {
        var memory = DetectorMemory(settings: EnergyAgentSettings())
        var learnedAt: [Int: Int] = [:]
        let floors = Array(0..<200)
        for floor in floors { memory.load(floor: floor, state: nil, version: nil) }
        for minute in 1...60 {
            for floor in floors {
                let reading = Reading(
                    piano: floor, kwh: 1, kw: 1, amp: 1, volt: 230,
                    timestampMs: 1_715_558_400_000 + Int64(minute) * 60_000)
                _ = memory.handle(reading, thresholds: Thresholds(), nowMs: 1_800_000_000_000)
            }
            for floor in memory.floorsToLearn(of: floors) where learnedAt[floor] == nil {
                learnedAt[floor] = minute
                #expect(memory.waiting(floor: floor).count == minute)
                memory.learned(floor: floor)
                #expect(memory.waiting(floor: floor) == [])
            }
        }
        #expect(learnedAt.count == 200)
        #expect(learnedAt.values.min() == 30 && learnedAt.values.max() == 60)
        let most = Dictionary(grouping: learnedAt.values, by: { $0 }).values.map(\.count).max() ?? 0
        #expect(most <= 7)
    }

    @Test func moreMayNotWaitThanIsStoredWithAState() {
        var memory = DetectorMemory(settings: settings)
        memory.load(floor: 1, state: nil, version: nil)
        for (count, reading) in readings[..<8].enumerated() {
            #expect(memory.waiting(floor: 1).count == count)
            _ = memory.handle(reading, thresholds: Thresholds(), nowMs: 1_800_000_000_000)
        }
        #expect(memory.floorsOverfull(of: [1, 2]) == [])
        for reading in readings[8..<11] {
            _ = memory.handle(reading, thresholds: Thresholds(), nowMs: 1_800_000_000_000)
        }
        #expect(memory.floorsOverfull(of: [1, 2]) == [1])
        // What changes nothing does not wait either.
        let before = memory.waiting(floor: 1)
        _ = memory.handle(readings[0], thresholds: Thresholds(), nowMs: 1_800_000_000_000)
        #expect(memory.waiting(floor: 1) == before)
        memory.load(floor: 1, state: nil, waiting: Array(before[..<2]), version: nil)
        #expect(memory.waiting(floor: 1) == Array(before[..<2]))
    }
}
