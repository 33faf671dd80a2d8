import NodeCore
import Simulation
import Testing
import Wire

/// Producers that number their batches: a batch that is sent again is kept once, and a gap is not filled.
@Suite struct ProducerTests {
    private func position(_ producer: UInt64, _ sequence: UInt64, at base: Offset, count: UInt32 = 1)
        -> ProducerPosition
    {
        ProducerPosition(producerID: producer, sequence: sequence, count: count, baseOffset: base, appendedMs: base)
    }

    private func batch(_ producer: UInt64, _ sequence: UInt64, count: Int = 1) throws -> RecordBatch {
        try RecordBatch(
            records: (0..<count).map { _ in Record(key: nil, value: [1], timestampMs: 0) }, producerID: producer,
            sequence: sequence)
    }

    @Test func onlyTheNextSequenceIsNext() throws {
        var table = ProducerTable()
        #expect(try table.verdict(on: batch(0, 99)) == .next, "a producer that does not number")
        #expect(try table.verdict(on: batch(5, 0)) == .next)
        #expect(try table.verdict(on: batch(5, 3)) == .outOfOrder(expected: 0))
        table.add(position(5, 0, at: 10, count: 3))
        #expect(try table.verdict(on: batch(5, 3)) == .next)
        #expect(try table.verdict(on: batch(5, 0, count: 3)) == .duplicate(base: 10, end: 13))
        #expect(try table.verdict(on: batch(5, 0, count: 2)) == .outOfOrder(expected: 3), "another batch")
        #expect(try table.verdict(on: batch(5, 4)) == .outOfOrder(expected: 3))
    }

    @Test func cuttingTakesPositionsAway() {
        var table = ProducerTable([position(5, 0, at: 0), position(5, 1, at: 1), position(6, 0, at: 2)])
        #expect(table.truncate(to: 1) == [6])
        #expect(table.all == [position(5, 0, at: 0)])
        #expect(table.truncate(to: 0) == [5])
        #expect(table.isEmpty)
    }

    @Test func onlySoManyAreRemembered() {
        var table = ProducerTable()
        for number in 1...UInt64(WireLimits.producersMax) + 1 { table.add(position(number, 0, at: number)) }
        #expect(table.count <= WireLimits.producersMax)
        #expect(table.last(below: 2).isEmpty, "the oldest go first")
        table.forget(idleSince: UInt64(WireLimits.producersMax))
        #expect(table.count == 2)
    }

    @Test func aBatchSentAgainIsKeptOnce() throws {
        let scene = try TopicScene()
        #expect(try scene.publish(["a", "b"], producer: 9, sequence: 0) == 0)
        let primary = try #require(scene.primary)
        for _ in 0..<3 {
            #expect(
                try scene.publish(["a", "b"], producer: 9, sequence: 0, at: primary)
                    == .produced(Produced(baseOffset: 0)))
        }
        #expect(try scene.publish(["c"], producer: 9, sequence: 5, at: primary)?.refusal == .sequenceGap)
        #expect(try scene.publish(["c"], producer: 9, sequence: 2) == 2)
        #expect(try scene.fetched(from: 0)?.values == ["a", "b", "c"])
    }

    @Test func aNewPrimaryKnowsWhatTheFormerTook() throws {
        let scene = try TopicScene()
        try scene.publish(["a"], producer: 9, sequence: 0)
        let primary = try #require(scene.primary)
        scene.cluster.crash(primary)
        scene.cluster.announce(primary, .dead)
        #expect(try scene.publish(["a"], producer: 9, sequence: 0) == 0, "kept once")
        #expect(try scene.publish(["b"], producer: 9, sequence: 1) == 1)
        scene.cluster.restart(primary)
        #expect(try scene.fetched(from: 0)?.values == ["a", "b"])
    }

    @Test func aDuplicateIsAnsweredWhenItsFirstIs() throws {
        let scene = try TopicScene()
        try scene.publish(["a"], producer: 9, sequence: 0)
        let primary = try #require(scene.primary)
        for other in 0..<3 where other != primary { scene.cluster.cut(primary, other) }
        let again = Message.produce(
            Produce(partition: scene.partition, batch: try scene.batch(["b"], producer: 9, sequence: 1)))
        scene.cluster.request(1, to: primary, again)
        scene.cluster.run(forMs: 20)
        scene.cluster.request(2, to: primary, again)
        scene.cluster.run(forMs: 100)
        #expect(scene.cluster.answer(of: 2) == nil, "nobody else has it yet")
        scene.cluster.heal()
        #expect(scene.cluster.run(forMs: 3_000) { scene.cluster.answer(of: 2) != nil })
        #expect(scene.cluster.answer(of: 1) == .produced(Produced(baseOffset: 1)))
        #expect(scene.cluster.answer(of: 2) == .produced(Produced(baseOffset: 1)))
    }

    @Test func lyingBatchesAreRefused() throws {
        let scene = try TopicScene()
        try scene.publish(["a"])
        let primary = try #require(scene.primary)
        let honest = try scene.batch(["b", "c"])
        func produce(_ batch: RecordBatch) -> ErrorCode? {
            scene.ask(primary, .produce(Produce(partition: scene.partition, batch: batch)))?.refusal
        }
        for lie in Lie.allCases { #expect(produce(try lie.told(of: honest)) == .corruptBatch, "\(lie)") }
        #expect(produce(try honest.compacted { _ in true }) == .corruptBatch)
        #expect(try scene.publish(["d"]) == 1, "nothing of it was kept")
    }

    /// What a batch may say that is not so, with a checksum that fits.
    private enum Lie: CaseIterable {
        case moreRecords, fewerRecords, longer, shorter, notPacked, packed

        func told(of batch: RecordBatch) throws -> RecordBatch {
            var writer = ByteWriter()
            batch.encode(into: &writer)
            var bytes = writer.bytes
            func put(_ value: UInt32, at place: Int) {
                withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(place..<place + 4, with: $0) }
            }
            // Places of the fields: see proto-spec/batches.md.
            switch self {
            case .moreRecords: put(batch.count + 1, at: 40)
            case .fewerRecords: put(batch.count - 1, at: 40)
            case .longer: put(batch.rawCount + 1, at: 53)
            case .shorter: put(batch.rawCount - 1, at: 53)
            case .notPacked, .packed: bytes[52] ^= 1
            }
            var seed = ByteWriter()
            seed.raw(bytes[24..<57])
            let sum = XXH64.hash(Array(bytes[61...]), seed: XXH64.hash(seed.bytes))
            put(UInt32(truncatingIfNeeded: sum), at: 20)
            return try bytes.withUnsafeBytes { bytes in
                var reader = ByteReader(bytes)
                return try RecordBatch(from: &reader)
            }
        }
    }
}
