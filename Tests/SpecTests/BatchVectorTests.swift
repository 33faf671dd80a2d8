import Testing
import Wire

@Suite struct BatchVectorTests {
    private struct Vector: Decodable {
        let name: String
        let hex: String
        let offsets: [Offset]
    }

    private func batch(_ data: [UInt8]) throws -> RecordBatch {
        try data.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            let batch = try RecordBatch(from: &reader)
            try reader.end(of: "batch")
            return batch
        }
    }

    private func encoded(_ batch: RecordBatch) -> [UInt8] {
        var writer = ByteWriter()
        batch.encode(into: &writer)
        return writer.bytes
    }

    @Test func theUnpackedBatchIsExact() throws {
        let vectors: [Vector] = try Specification.vectors("batches.json")
        let vector = try #require(vectors.first { $0.name == "unpacked" })
        let decoded = try batch(bytes(vector.hex))
        #expect(decoded == (try Samples.plainBatch()))
        #expect(decoded.isIntact)
        #expect(decoded.codec == .none)
        #expect(decoded.endOffset == 1_003)
        #expect(try decoded.records() == Samples.records)
        #expect(hex(encoded(try Samples.plainBatch())) == vector.hex)
        #expect(decoded.encodedCount == vector.hex.count / 2)
    }

    @Test func thePackedBatchRestores() throws {
        let vectors: [Vector] = try Specification.vectors("batches.json")
        let vector = try #require(vectors.first { $0.name == "packed" })
        let decoded = try batch(bytes(vector.hex))
        #expect(decoded.isIntact)
        #expect(decoded.codec == .lz4)
        #expect(
            decoded.baseOffset == 1_003 && decoded.count == 20 && decoded.timestampMsMax == Samples.milliseconds + 19)
        #expect(try decoded.records() == Samples.repetitive)
        #expect(hex(encoded(decoded)) == vector.hex)
        let ours = try RecordBatch(records: Samples.repetitive)
        #expect(ours.codec == .lz4 && ours.rawCount == decoded.rawCount)
        #expect(try batch(encoded(ours)).records() == Samples.repetitive)
    }

    @Test(arguments: ["sparse", "empty"]) func aCompactedBatchKeepsItsOffsets(name: String) throws {
        let vectors: [Vector] = try Specification.vectors("batches.json")
        let vector = try #require(vectors.first { $0.name == name })
        let decoded = try batch(bytes(vector.hex))
        #expect(decoded.isIntact && decoded.isSparse)
        try decoded.validate()
        #expect(try decoded.entries().map(\.offset) == vector.offsets)
        #expect(try decoded.records() == Array(Samples.records.prefix(vector.offsets.count)))
        #expect(hex(encoded(decoded)) == vector.hex)
        // Compaction leaves what is compact as it is.
        let entries = try decoded.entries()
        #expect(try decoded.compacted { _ in true }.entries() == entries)
    }
}
