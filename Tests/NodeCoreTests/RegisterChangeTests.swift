import NodeCore
import Testing
import Wire

@Suite struct RegisterChangeTests {
    private let now: UInt64 = 1_000_000
    private func ballot(_ time: UInt64) -> Ballot { Ballot(time: HybridTime(time), node: NodeID(1)) }
    private func value(_ version: UInt64, expiryMs: UInt64? = nil) -> Cell {
        Cell(version: ballot(version), base: nil, content: .value([7]), expiryMs: expiryMs)
    }
    private func evaluate(_ change: RegisterChange, _ current: Cell?) -> ChangeEffect {
        change.evaluate(current: current, ballot: ballot(100), stampMs: now)
    }

    @Test func anOverwriteHasNoBase() {
        #expect(
            evaluate(.put(value: [1], ttlMs: 2_000, condition: .none), value(3))
                == .write(Cell(version: ballot(100), base: nil, content: .value([1]), expiryMs: now + 2_000)))
        #expect(
            evaluate(.delete(condition: .none), nil)
                == .write(Cell(version: ballot(100), base: nil, content: .tombstone, expiryMs: nil)))
    }

    @Test func absentMeansNoLiveValue() {
        let change = RegisterChange.put(value: [1], ttlMs: nil, condition: .absent)
        #expect(evaluate(change, value(3)) == .refuse)
        let tombstone = Cell(version: ballot(3), base: nil, content: .tombstone, expiryMs: nil)
        for (current, base) in [(nil, Ballot.zero), (tombstone, ballot(3)), (value(4, expiryMs: now), ballot(4))] {
            #expect(
                evaluate(change, current)
                    == .write(Cell(version: ballot(100), base: base, content: .value([1]), expiryMs: nil)))
        }
    }

    @Test func aVersionIsComparedWithALiveCell() {
        #expect(
            evaluate(.delete(condition: .version(ballot(3))), value(3))
                == .write(Cell(version: ballot(100), base: ballot(3), content: .tombstone, expiryMs: nil)))
        #expect(evaluate(.delete(condition: .version(ballot(2))), value(3)) == .refuse)
        #expect(evaluate(.delete(condition: .version(ballot(3))), value(3, expiryMs: now)) == .refuse)
        #expect(evaluate(.delete(condition: .version(ballot(3))), nil) == .refuse)
    }

    @Test func aLeaseIsTakenRenewedAndGivenBackByToken() throws {
        guard case .write(let held) = evaluate(.acquire(owner: "ann", ttlMs: 5_000), nil),
            case .value(let bytes) = held.content
        else {
            Issue.record("a free lease was refused")
            return
        }
        #expect(try Lease(bytes) == Lease(owner: "ann", token: ballot(100)))
        #expect(held.expiryMs == now + 5_000)
        #expect(evaluate(.acquire(owner: "ann", ttlMs: 5_000), held) == .refuse)
        #expect(evaluate(.renew(token: ballot(99), ttlMs: 5_000), held) == .refuse)
        let later = RegisterChange.renew(token: ballot(100), ttlMs: 9_000).evaluate(
            current: held, ballot: ballot(200), stampMs: now + 1)
        #expect(
            later
                == .write(Cell(version: ballot(200), base: ballot(100), content: .value(bytes), expiryMs: now + 9_001)))
        // Past its time nobody renews it, and anybody may take it.
        let after = now + 5_000
        #expect(
            RegisterChange.renew(token: ballot(100), ttlMs: 5_000).evaluate(
                current: held, ballot: ballot(200), stampMs: after) == .refuse)
        #expect(
            RegisterChange.acquire(owner: "bob", ttlMs: 5_000).evaluate(
                current: held, ballot: ballot(200), stampMs: after) != .refuse)
        #expect(
            evaluate(.release(token: ballot(100)), held)
                == .write(Cell(version: ballot(100), base: ballot(100), content: .tombstone, expiryMs: nil)))
    }

    @Test func aValueThatIsNoLeaseIsNeitherRenewedNorReleased() {
        #expect(evaluate(.renew(token: ballot(3), ttlMs: 5_000), value(3)) == .refuse)
        #expect(evaluate(.release(token: ballot(3)), value(3)) == .refuse)
    }
}
