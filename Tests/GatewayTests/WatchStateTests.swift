import Testing
import Wire

@testable import Gateway

@Suite struct WatchStateTests {
    private func version(_ time: UInt64) -> Ballot { Ballot(time: HybridTime(time), node: NodeID(1)) }

    private func item(_ key: String, _ value: UInt8, _ time: UInt64) -> ScanItem {
        ScanItem(
            key: Key(key), cell: Cell(version: version(time), base: nil, content: .value([value]), expiryMs: nil))
    }

    @Test func aFirstListingIsToldWhole() {
        var state = WatchState()
        #expect(
            state.advance(to: [item("a", 1, 1), item("b", 2, 2)]) == [
                .put(Key("a"), value: [1], version: version(1)), .put(Key("b"), value: [2], version: version(2)),
            ])
        #expect(state.advance(to: [item("a", 1, 1), item("b", 2, 2)]) == [])
    }

    @Test func changesAdditionsAndDeletionsAreTold() {
        var state = WatchState()
        _ = state.advance(to: [item("b", 1, 1), item("d", 1, 2), item("f", 1, 3)])
        #expect(
            state.advance(to: [item("a", 9, 4), item("d", 2, 5), item("e", 9, 6)]) == [
                .put(Key("a"), value: [9], version: version(4)), .delete(Key("b"), version: version(1)),
                .put(Key("d"), value: [2], version: version(5)), .put(Key("e"), value: [9], version: version(6)),
                .delete(Key("f"), version: version(3)),
            ])
        #expect(
            state.advance(to: []) == [
                .delete(Key("a"), version: version(4)), .delete(Key("d"), version: version(5)),
                .delete(Key("e"), version: version(6)),
            ])
    }
}
