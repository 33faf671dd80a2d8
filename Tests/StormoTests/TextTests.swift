import Logging
import Testing

@testable import Stormo

@Suite struct TextTests {
    @Test func `tables line up`() {
        var table = TextTable([.init("NAME"), .init("COUNT", right: true), .init("NOTE")])
        table.add(["a", "1", "x"])
        table.add(["longer", "12,345", ""])
        #expect(table.lines == ["NAME     COUNT  NOTE", "a            1  x", "longer  12,345"])
    }

    @Test func `numbers are written with fixed digits`() {
        #expect(Text.fixed(1.005, digits: 1) == "1.0")
        #expect(Text.fixed(0.0996, digits: 3) == "0.100")
        #expect(Text.fixed(-2.5, digits: 2) == "-2.50")
        #expect(Text.fixed(12, digits: 0) == "12")
        #expect(Text.fixed(.nan, digits: 1) == "-")
        #expect(Text.grouped(1_234_567) == "1,234,567")
        #expect(Text.grouped(999) == "999")
        #expect(Text.grouped(-1_000) == "-1,000")
    }

    @Test func `durations and sizes are written in the largest whole unit`() {
        #expect(
            [0, 1, 1_500, 60_000, 90_000, 7 * 86_400_000].map { Quantity.durationText($0) } == [
                "0s", "1ms", "1500ms", "1m", "90s", "7d",
            ])
        #expect(
            [0, 100, 1_024, 64 << 20, 3 << 30].map { Quantity.bytesText($0) } == ["0", "100", "1KiB", "64MiB", "3GiB"])
        #expect(Quantity.bytes("64MiB") == 67_108_864)
        #expect(Quantity.bytes("99999999999GiB") == nil)
        #expect(Quantity.bytes("1.5MiB") == nil)
    }

    @Test func `times and sizes are written as people say them`() {
        #expect(
            [0, 499, 45_000, 60_000, 150_000, 4_800_000, 7_200_000, 273_600_000].map { Text.duration(ms: $0) } == [
                "0s", "0s", "45s", "1m", "2m30s", "1h20m", "2h", "3d4h",
            ])
        #expect(
            [0, 1_023, 1_024, 47_500_000, 3 << 30].map { Text.size(bytes: $0) } == [
                "0 B", "1023 B", "1.0 KiB", "45.3 MiB", "3.0 GiB",
            ])
    }

    @Test func `a log line is one line`() {
        let line = CompactLogHandler.line(
            timeMs: 1_769_847_330_250, level: .warning, label: "node", message: "two\nlines",
            pairs: [("z", "plain"), ("a", "two words"), ("m", "a \"quote\"\n"), ("e", "")])
        #expect(
            line
                == "2026-01-31T08:15:30.250Z WARN  node: two lines a=\"two words\" e=\"\" m=\"a \\\"quote\\\"\\n\" z=plain\n"
        )
    }

    @Test func `edits are counted`() {
        func distance(_ a: String, _ b: String) -> Int { Suggestion.editDistance(Array(a.utf8), Array(b.utf8)) }
        #expect(distance("", "abc") == 3)
        #expect(distance("kitten", "sitting") == 3)
        #expect(distance("listen", "lisetn") == 1)
        #expect(distance("data", "data") == 0)
    }
}
