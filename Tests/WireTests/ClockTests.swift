import Testing
import Wire

@Suite struct ClockTests {
    @Test func stampsAlwaysRise() {
        var clock = HybridClock(driftMaxMs: 500)
        var last = HybridTime.zero
        // Physical time stands still, goes back and jumps.
        for physicalMs in [1_000, 1_000, 1_000, 990, 0, 1_001, 5_000, 4_999] as [UInt64] {
            let stamp = clock.now(physicalMs: physicalMs)
            #expect(stamp > last)
            #expect(stamp.milliseconds >= physicalMs)
            last = stamp
        }
        #expect(last.milliseconds == 5_000 && clock.latest == last)
        for _ in 0..<70_000 { last = max(last, clock.now(physicalMs: 5_000)) }
        #expect(
            last == clock.latest && last.milliseconds == 5_001, "a full counter runs over into the next millisecond")
    }

    @Test func stampsFollowWhatWasHeard() {
        var clock = HybridClock(driftMaxMs: 500)
        let remote = HybridTime(milliseconds: 10_400).next
        let accepted = clock.merge(remote, physicalMs: 10_000)
        #expect(accepted)
        #expect(clock.now(physicalMs: 10_000) > remote)
        let old = clock.latest
        let acceptedOld = clock.merge(HybridTime(milliseconds: 3), physicalMs: 10_000)
        #expect(acceptedOld && clock.latest == old, "the past changes nothing")
    }

    @Test func driftIsRefusedNotMerged() {
        var clock = HybridClock(driftMaxMs: 500)
        let before = clock.now(physicalMs: 10_000)
        for ahead in [501, 1_000, 1 << 40] as [UInt64] {
            let accepted = clock.merge(HybridTime(milliseconds: 10_000 + ahead), physicalMs: 10_000)
            #expect(!accepted && clock.latest == before)
        }
        let extreme = clock.merge(HybridTime(.max), physicalMs: 10_000)
        #expect(!extreme && clock.latest == before)
        let atBound = clock.merge(HybridTime(milliseconds: 10_500), physicalMs: 10_000)
        #expect(atBound && clock.latest.milliseconds == 10_500)
    }

    /// Drift is judged against the physical clock, not the hybrid one: else small steps would add up without bound.
    @Test func driftDoesNotAddUp() {
        var clock = HybridClock(driftMaxMs: 500)
        let first = clock.merge(HybridTime(milliseconds: 1_500), physicalMs: 1_000)
        let second = clock.merge(HybridTime(milliseconds: 2_000), physicalMs: 1_000)
        #expect(first && !second)
    }

    @Test func aRestartedClockStaysAboveItsFloor() {
        let floor = HybridTime(milliseconds: 9_000)
        var clock = HybridClock(floor: floor, driftMaxMs: 500)
        #expect(clock.now(physicalMs: 10) > floor)
    }

    @Test func ballotsSortAsTheirText() {
        let times: [UInt64] = [0, 1, 0xFF, 0x100, 0x1_0000, 1 << 48, .max]
        let ballots = times.flatMap { time in
            [0, 1, 0x10, .max].map { Ballot(time: HybridTime(time), node: NodeID($0)) }
        }
        for a in ballots {
            #expect(a.description.utf8.count == 32)
            #expect(Ballot(a.description) == a)
            for b in ballots {
                #expect((a < b) == (a.description < b.description))
                #expect((a == b) == (a.description == b.description))
                #expect(!(a < b && b < a))
            }
        }
        #expect(ballots.sorted() == ballots, "time before node")
        #expect(ballots.allSatisfy { !($0 < Ballot.zero) })
    }

    @Test func onlyBallotsAreReadAsBallots() {
        let good = Ballot(time: HybridTime(1), node: NodeID(2)).description
        for bad in [
            "", "0", String(good.dropLast()), good + "0", good.replacing("2", with: "g"),
            good.replacing("2", with: "é"),
        ] {
            #expect(Ballot(bad) == nil, "\(bad)")
        }
        #expect(Ballot(good[...]) != nil)
    }
}
