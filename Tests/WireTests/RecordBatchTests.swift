import Testing
import Wire

@Suite struct RecordBatchTests {
    private func encoded(_ batch: RecordBatch) -> [UInt8] {
        var writer = ByteWriter()
        batch.encode(into: &writer)
        return writer.bytes
    }

    private func decoded(_ bytes: [UInt8]) throws(WireError) -> RecordBatch {
        try reading(bytes) { reader throws(WireError) in try RecordBatch(from: &reader) }
    }

    private let records = [
        Record(key: [1], value: Array("first".utf8), headers: [.init(name: "h", value: [9])], timestampMs: 5),
        Record(key: nil, value: [], timestampMs: 7), Record(key: [], value: [0], timestampMs: 6),
    ]

    @Test func recordsComeBack() throws {
        for count in [1, 2, 100, 5_000] {
            let many = (0..<count).map { records[$0 % 3] }
            var batch = try RecordBatch(records: many, producerID: 3, sequence: 4)
            #expect(Int(batch.rawCount) == many.reduce(0) { $0 + $1.encodedCount })
            #expect(batch.timestampMsMax == (count == 1 ? 5 : 7))
            batch.baseOffset = 50
            batch.epoch = 8
            batch.appendedMs = 1 << 41
            let again = try decoded(encoded(batch))
            #expect(again == batch && again.isIntact && again.endOffset == 50 + Offset(count))
            #expect(encoded(batch).count == batch.encodedCount)
            #expect(try again.records() == many)
        }
    }

    @Test func thePrimarysPartLiesOutsideTheChecksum() throws {
        let batch = try RecordBatch(records: records)
        var placed = batch
        placed.baseOffset = 1_000_000
        placed.epoch = 77
        placed.appendedMs = 1 << 40
        #expect(placed.checksum == batch.checksum && placed.isIntact)
    }

    @Test func anyOtherChangeIsNoticed() throws {
        for count in [1, 200] {
            let bytes = encoded(
                try RecordBatch(records: (0..<count).map { records[$0 % 3] }, producerID: 3, sequence: 4))
            for index in 20..<bytes.count {
                let damaged = bytes.with(index, [bytes[index] ^ 0x10])
                if let batch = try? decoded(damaged) { #expect(!batch.isIntact, "byte \(index)") }
            }
        }
    }

    @Test func damagedBatchesThrowAndNeverCrash() throws {
        let bytes = encoded(try RecordBatch(records: (0..<200).map { records[$0 % 3] }))
        var refused = 0
        for index in 40..<bytes.count {
            for change in [0x01, 0x80, 0xFF] as [UInt8] {
                do { _ = try decoded(bytes.with(index, [bytes[index] ^ change])).records() } catch { refused += 1 }
            }
        }
        #expect(refused > 30)
        for count in 0..<bytes.count {
            #expect(failure { () throws(WireError) in _ = try decoded(Array(bytes.prefix(count))) } != nil)
        }
    }

    @Test func compactionKeepsOffsetsAndEnds() throws {
        var batch = try RecordBatch(records: (0..<100).map { records[$0 % 3] }, producerID: 3, sequence: 4)
        batch.baseOffset = 1_000
        batch.epoch = 5
        batch.appendedMs = 77
        let kept = try batch.compacted { $0.offset % 7 == 0 }
        let again = try decoded(encoded(kept))
        #expect(again == kept && again.isIntact && again.isSparse)
        #expect((again.baseOffset, again.endOffset, again.epoch, again.appendedMs) == (1_000, 1_100, 5, 77))
        #expect((again.producerID, again.sequence, again.isPurged) == (3, 4, false))
        try again.validate()
        #expect(try again.entries() == (try batch.entries().filter { $0.offset % 7 == 0 }))
        #expect(try again.compacted { $0.offset == 1_001 }.entries().map(\.offset) == [1_001])
        let nothing = try again.compacted { _ in false }
        try nothing.validate()
        #expect(try nothing.entries().isEmpty && nothing.endOffset == 1_100)
        // What was purged once says so ever after.
        let purged = try decoded(encoded(try again.compacted(keeping: { $0.offset > 1_050 }, purging: true)))
        #expect(purged.isPurged && purged.isIntact)
        #expect(try purged.compacted { $0.offset > 1_060 }.isPurged)
    }

    @Test func outlinesAreThoseOfTheRecords() throws {
        let some = records + [Record(key: [1], value: [], timestampMs: 0), Record(key: nil, value: [], timestampMs: 0)]
        var batch = try RecordBatch(records: some)
        batch.baseOffset = 10
        let sparse = try batch.compacted { $0.offset != 11 }
        for batch in [batch, sparse] {
            let outlines = try batch.outlines()
            let entries = try batch.entries()
            #expect(outlines.map(\.offset) == entries.map(\.offset))
            #expect(outlines.map(\.key) == entries.map(\.record.key))
            #expect(outlines.map(\.isMarker) == entries.map { $0.record.key != nil && $0.record.value.isEmpty })
        }
    }

    /// The places of the records left may take more than the records gone.
    @Test func aFullBatchStaysReadableWhenLittleGoes() throws {
        let record = Record(key: nil, value: [], timestampMs: 0)
        let many = WireLimits.batchBytesMax / record.encodedCount
        let full = try RecordBatch(records: Array(repeating: record, count: many))
        let compacted = try full.compacted { $0.offset != 7 }
        #expect(Int(compacted.rawCount) > WireLimits.batchBytesMax)
        #expect(try decoded(encoded(compacted)).entries().count == many - 1)
    }

    @Test func placesInASparseBatchGrow() throws {
        let bytes = encoded(try RecordBatch(records: Array(records.prefix(2))).compacted { _ in true })
        // The second record's place stands behind the first record.
        let second = 61 + 4 + records[0].encodedCount
        for place in [0, 2, UInt32.max] {
            let liar = try decoded(bytes.with(second, little(place)))
            #expect(failure { () throws(WireError) in try liar.validate() } != nil, "place \(place)")
        }
    }

    @Test func validationThrowsWhereUnpackingDoes() throws {
        for many in [records, (0..<300).map { records[$0 % 3] }] {
            let bytes = encoded(try RecordBatch(records: many))
            for index in 40..<bytes.count {
                guard let batch = try? decoded(bytes.with(index, [bytes[index] ^ 0x41])) else { continue }
                let unpacking = failure { () throws(WireError) in _ = try batch.records() }
                #expect(failure { () throws(WireError) in try batch.validate() } == unpacking, "byte \(index)")
            }
        }
    }

    @Test func liesAboutTheCountThrow() throws {
        for many in [records, (0..<300).map { records[$0 % 3] }] {
            let bytes = encoded(try RecordBatch(records: many))
            for count in [UInt32(many.count - 1), UInt32(many.count + 1), .max] {
                let liar = try decoded(bytes.with(40, little(count)))
                #expect(!liar.isIntact)
                #expect(
                    failure { () throws(WireError) in _ = try liar.records() } != nil,
                    "\(count) instead of \(many.count)")
            }
            #expect(failure { () throws(WireError) in _ = try decoded(bytes.with(40, little(UInt32(0)))) } != nil)
        }
    }

    @Test func liesAboutTheLengthThrow() throws {
        let noisy = [Record(key: nil, value: Samples.noise(100), timestampMs: 0x0102_0304_0506_0708)]
        #expect(try RecordBatch(records: noisy).codec == .none)
        for many in [noisy, (0..<300).map { records[$0 % 3] }] {
            let batch = try RecordBatch(records: many)
            let bytes = encoded(batch)
            for rawCount in [0, batch.rawCount - 1, batch.rawCount + 1, 4 << 20] {
                let liar = try decoded(bytes.with(53, little(rawCount)))
                #expect(
                    failure { () throws(WireError) in _ = try liar.records() } != nil, "\(rawCount) with \(batch.codec)"
                )
            }
            #expect(
                failure { () throws(WireError) in _ = try decoded(bytes.with(53, little(UInt32(4 << 20 + 1)))) }
                    == .overLimit(field: "batch", found: 4 << 20 + 1, max: 4 << 20))
            #expect(failure { () throws(WireError) in _ = try decoded(bytes.with(57, little(UInt32.max))) } != nil)
            #expect(failure { () throws(WireError) in _ = try decoded(bytes.with(52, [4])) } != nil)
        }
    }

    @Test func limitsHoldWhenPacking() {
        func refusal(_ records: [Record]) -> WireError? {
            failure { () throws(WireError) in _ = try RecordBatch(records: records) }
        }
        let overhead = 18
        let largest = Record(
            key: nil, value: [UInt8](repeating: 1, count: WireLimits.recordBytesMax - overhead), timestampMs: 0)
        #expect(largest.encodedCount == WireLimits.recordBytesMax)
        #expect(refusal([largest]) == nil)
        var over = largest
        over.value.append(1)
        #expect(
            refusal([over])
                == .overLimit(field: "record", found: WireLimits.recordBytesMax + 1, max: WireLimits.recordBytesMax))
        #expect(refusal([largest, largest, largest, largest]) == nil)
        #expect(
            refusal([largest, largest, largest, largest, records[1]])
                == .overLimit(field: "batch", found: 4 * WireLimits.recordBytesMax + 18, max: WireLimits.batchBytesMax))
        #expect(refusal([]) == .invalid(field: "records", found: "none", expected: "at least 1"))
        let header = Record.Header(name: "n", value: [])
        #expect(
            refusal([
                Record(key: nil, value: [], headers: [Record.Header](repeating: header, count: 64), timestampMs: 0)
            ]) == nil)
        #expect(
            refusal([
                Record(key: nil, value: [], headers: [Record.Header](repeating: header, count: 65), timestampMs: 0)
            ])
                == .overLimit(field: "headers of a record", found: 65, max: 64))
        let long = Record.Header(name: String(repeating: "n", count: 256), value: [])
        #expect(
            refusal([Record(key: nil, value: [], headers: [long], timestampMs: 0)])
                == .overLimit(field: "header name", found: 256, max: 255))
    }

    @Test func whatIsPackedCanBeRead() throws {
        let header = Record.Header(name: String(repeating: "è", count: 127), value: [UInt8](repeating: 2, count: 5_000))
        let record = Record(
            key: [UInt8](repeating: 3, count: 100_000), value: [],
            headers: [Record.Header](repeating: header, count: 64), timestampMs: .max)
        #expect(try decoded(encoded(try RecordBatch(records: [record]))).records() == [record])
    }

    @Test func smallOrNoisyBatchesStayAsTheyAre() throws {
        #expect(
            try RecordBatch(records: [Record(key: nil, value: [1], timestampMs: 0x0102_0304_0506_0708)]).codec == .none)
        #expect(
            try RecordBatch(records: [Record(key: nil, value: Samples.noise(1_000), timestampMs: 0x0102_0304_0506_0708)]
            ).codec == .none)
        #expect(
            try RecordBatch(records: [Record(key: nil, value: [UInt8](repeating: 7, count: 1_000), timestampMs: 0)])
                .codec == .lz4)
    }
}
