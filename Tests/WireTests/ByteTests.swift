import Testing

@testable import Wire

@Suite struct ByteTests {
    @Test func integersAreLittleEndian() throws {
        var writer = ByteWriter()
        writer.integer(UInt8(1))
        writer.integer(UInt16(0x0203))
        writer.integer(UInt32(0x0405_0607))
        writer.integer(UInt64(0x0809_0A0B_0C0D_0E0F))
        writer.bool(true)
        #expect(writer.bytes == [1, 3, 2, 7, 6, 5, 4, 15, 14, 13, 12, 11, 10, 9, 8, 1])
        let read = try reading(writer.bytes) { reader throws(WireError) in
            (
                try reader.integer("a", as: UInt8.self), try reader.integer("b", as: UInt16.self),
                try reader.integer("c", as: UInt32.self), try reader.integer("d", as: UInt64.self), try reader.bool("e")
            )
        }
        #expect(read == (1, 0x0203, 0x0405_0607, 0x0809_0A0B_0C0D_0E0F, true))
    }

    @Test func everythingWrittenIsRead() throws {
        var writer = ByteWriter(capacity: 0)
        writer.blob([])
        writer.blob([1, 2])
        writer.text("città 🚁")
        writer.optional(nil as UInt8?) { $0.integer($1) }
        writer.optional(9) { $0.integer(UInt8($1)) }
        writer.list([5, 6, 7]) { $0.integer(UInt16($1)) }
        writer.raw([8, 8])
        try reading(writer.bytes) { reader throws(WireError) in
            #expect(try reader.blob("empty", max: 0) == [])
            #expect(try reader.blob("two", max: 2) == [1, 2])
            #expect(try reader.text("text") == "città 🚁")
            #expect(
                try reader.optional("none") { reader throws(WireError) in try reader.integer("x", as: UInt8.self) }
                    == nil)
            #expect(
                try reader.optional("some") { reader throws(WireError) in try reader.integer("x", as: UInt8.self) } == 9
            )
            let list = try reader.list("list", max: 3, minBytes: 2) { reader throws(WireError) in
                try reader.integer("x", as: UInt16.self)
            }
            #expect(list == [5, 6, 7])
            #expect(reader.remaining == 2)
            #expect(reader.rest() == [8, 8])
        }
    }

    @Test func overwritingAndTruncatingKeepTheRest() {
        var writer = ByteWriter()
        writer.raw([1, 2, 3, 4, 5, 6])
        writer.overwrite(UInt16(0xAABB), at: 1)
        writer.truncate(to: 5)
        #expect(writer.bytes == [1, 0xBB, 0xAA, 4, 5] && writer.count == 5)
        writer.removeAll()
        #expect(writer.bytes.isEmpty)
    }

    @Test func readersSayWhatIsMissing() {
        #expect(
            failure { () throws(WireError) in
                _ = try reading([1, 2, 3]) { reader throws(WireError) in try reader.integer("width", as: UInt32.self) }
            } == .truncated(field: "width", needed: 4, available: 3))
        #expect(
            failure { () throws(WireError) in
                _ = try reading([1]) { reader throws(WireError) in try reader.raw("negative", count: -1) }
            } == .truncated(field: "negative", needed: -1, available: 1))
        #expect(
            failure { () throws(WireError) in
                _ = try reading([1, 2]) { reader throws(WireError) in try reader.integer("one", as: UInt8.self) }
            } == .trailing(message: "test", count: 1))
        for error: WireError in [
            .truncated(field: "f", needed: 4, available: 3), .overLimit(field: "f", found: 2, max: 1),
            .invalid(field: "f", found: "a", expected: "b"), .trailing(message: "m", count: 1),
            .checksum(found: 1, computed: 2),
            .unknownType(7), .decompression(declared: 9),
        ] {
            #expect(!error.description.isEmpty && !error.description.contains("\n"))
        }
    }

    @Test func longTextIsCutBetweenCharacters() throws {
        for text in [
            String(repeating: "€", count: 30_000), String(repeating: "a", count: 70_000),
            "a" + String(repeating: "🚁", count: 20_000),
        ] {
            var writer = ByteWriter()
            writer.text(text)
            let cut = try reading(writer.bytes) { reader throws(WireError) in try reader.text("text", max: 65_535) }
            #expect(text.utf8.starts(with: cut.utf8))
            #expect((65_532...65_535).contains(cut.utf8.count))
        }
    }

    @Test func hexadecimalTextIsReadStrictly() {
        #expect(Hex.fixed(0) == "0000000000000000" && Hex.fixed(.max) == "ffffffffffffffff")
        #expect(Hex.number("00000000000000ff") == 255)
        for text in [
            "", "ff", "00000000000000fg", "+000000000000001", " 000000000000001", "00000000000000001",
            "0x00000000000001",
        ] {
            #expect(Hex.number(text[...]) == nil, "\(text)")
        }
    }

    @Test func keysKnowTheirPlace() throws {
        #expect(Key("abc").token == 0x44BC_2CF5_AD77_0999, "the published XXH64 digest of abc")
        #expect(Key.system("abc").bytes == [0, 97, 98, 99] && Key.system("abc").isSystem && !Key("abc").isSystem)
        #expect(Key("a") < Key("b") && Key("a") < Key("aa") && !(Key("b") < Key("aa")))
        #expect(failure { () throws(WireError) in _ = try Key("").validated() } != nil)
        #expect(failure { () throws(WireError) in _ = try Key([UInt8](repeating: 1, count: 513)).validated() } != nil)
        #expect(try Key([UInt8](repeating: 1, count: 512)).validated().bytes.count == 512)
    }

    @Test func leasesComeBack() throws {
        let lease = Lease(owner: "dispatcher è", token: Samples.ballot)
        #expect(try Lease(lease.encoded) == lease)
        for count in lease.encoded.indices {
            #expect(failure { () throws(WireError) in _ = try Lease(Array(lease.encoded.prefix(count))) } != nil)
        }
        #expect(
            failure { () throws(WireError) in _ = try Lease(lease.encoded + [0]) }
                == .trailing(message: "lease", count: 1))
    }

    @Test func cellsExpireAtTheirMoment() {
        let cell = Cell(version: .zero, base: nil, content: .value([1]), expiryMs: 100)
        #expect(cell.value(atMs: 99) == [1] && cell.value(atMs: 100) == nil)
        #expect(Cell(version: .zero, base: nil, content: .tombstone, expiryMs: nil).value(atMs: 0) == nil)
        #expect(Cell(version: .zero, base: nil, content: .value([]), expiryMs: nil).value(atMs: .max) == [])
    }
}
