import Testing
import Wire

/// What a member of a group writes into the register of a partition, and what it makes of the answers.
@Suite struct GroupLeaseTests {
    private let bounds = GroupLease.Bounds(lengthMs: 6_000, driftMaxMs: 500, marginMs: 500)
    private let wallMs: UInt64 = 1_700_000_000_000

    private func version(_ number: UInt64) -> Ballot {
        Ballot(time: HybridTime(milliseconds: number), node: NodeID(1))
    }

    private func taking(_ found: GroupRegister?, atMs nowMs: UInt64 = 0) -> GroupLease.Attempt? {
        GroupLease.taking(
            found.map { ($0, version(1)) }, for: "me", of: "t", bounds, wallMs: wallMs + nowMs, nowMs: nowMs)
    }

    private func lease(offset: Offset? = nil) throws -> GroupLease {
        let former = GroupRegister(owner: "", token: 4, leaseEndMs: 0, offset: offset, topic: "t")
        return GroupLease(try #require(taking(former)), version: version(2), bounds)
    }

    @Test func aFreePartitionIsTakenUnderTheNextTokenAndGoesOnWhereItIs() throws {
        let first = try #require(taking(nil))
        #expect(first.condition == .absent)
        #expect(
            first.register
                == GroupRegister(owner: "me", token: 1, leaseEndMs: wallMs + 6_000, offset: nil, topic: "t"))
        let next = try #require(
            taking(GroupRegister(owner: "", token: 7, leaseEndMs: 0, offset: 12, topic: "t")))
        #expect(next.condition == .version(version(1)))
        #expect(next.register.token == 8)
        #expect(next.register.offset == 12)
    }

    @Test func anotherMembersLeaseIsRespectedUntilAMarginBehindItsEnd() {
        let held = GroupRegister(owner: "other", token: 7, leaseEndMs: wallMs + 1_000, offset: 12, topic: "t")
        #expect(taking(held) == nil)
        #expect(taking(held, atMs: 1_499) == nil)
        #expect(taking(held, atMs: 1_500) != nil)
    }

    @Test func theHolderCountsFromBeforeItsWriteAndGivesUpEarly() throws {
        var lease = try lease()
        #expect(lease.endsAtMs == 5_500)
        #expect(lease.renewalAtMs == 2_000)
        lease.written(lease.writing(3, wallMs: wallMs + 2_000, nowMs: 2_000), version: version(3))
        #expect(lease.endsAtMs == 7_500)
        #expect(lease.offset == 3)
    }

    @Test func aPositionNeverGoesBack() throws {
        let lease = try lease(offset: 9)
        #expect(lease.writing(4, wallMs: wallMs, nowMs: 0).register.offset == 9)
        #expect(lease.writing(nil, wallMs: wallMs, nowMs: 0).register.offset == 9)
        #expect(lease.releasing(nowMs: 0).register.offset == 9)
    }

    @Test func aRefusedWriteIsUnderstoodByWhatIsThere() throws {
        var lease = try lease(offset: 9)
        let attempt = lease.writing(10, wallMs: wallMs, nowMs: 0)
        // One of its own writes whose answer was lost.
        #expect(
            lease.found((lease.writing(10, wallMs: wallMs - 5, nowMs: 0).register, version(5)), after: attempt)
                == .again)
        #expect(lease.offset == 9)
        #expect(lease.writing(10, wallMs: wallMs, nowMs: 0).condition == .version(version(5)))
        // This very write.
        #expect(lease.found((attempt.register, version(6)), after: attempt) == .written)
        #expect(lease.offset == 10)
        // Somebody else's, an operator's, nothing.
        var other = attempt.register
        other.token += 1
        #expect(lease.found((other, version(7)), after: attempt) == .lost)
        #expect(lease.found(nil, after: attempt) == .lost)
    }
}
