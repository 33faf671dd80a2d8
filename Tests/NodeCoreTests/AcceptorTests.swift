import NodeCore
import Testing
import Wire

@Suite struct AcceptorTests {
    private func ballot(_ time: UInt64, _ node: UInt64 = 1) -> Ballot {
        Ballot(time: HybridTime(time), node: NodeID(node))
    }
    private func cell(_ time: UInt64) -> Cell {
        Cell(version: ballot(time), base: nil, content: .value([1]), expiryMs: nil)
    }

    @Test func promisesOnlyWhatIsHigher() {
        let state = RegisterState(promised: ballot(5), accepted: AcceptedCell(ballot: ballot(3), cell: cell(3)))
        let higher = Acceptor.prepare(state, ballot: ballot(6))
        #expect(higher.state?.promised == ballot(6))
        #expect(higher.reply == .promise(ReplicaState(accepted: state.accepted, promised: ballot(6))))
        for refused in [ballot(5), ballot(4)] {
            let decision = Acceptor.prepare(state, ballot: refused)
            #expect(decision.state == nil)
            #expect(decision.reply == .refused(RefusedReply(promised: ballot(5), acceptedBallot: ballot(3))))
        }
    }

    @Test func takesAnAcceptAtItsPromiseAndNoneBelow() {
        let state = RegisterState(promised: ballot(5), accepted: nil)
        let at = Acceptor.accept(state, Accept(key: Key("k"), ballot: ballot(5), cell: cell(5), next: nil))
        #expect(
            at.state == RegisterState(promised: ballot(5), accepted: AcceptedCell(ballot: ballot(5), cell: cell(5))))
        #expect(at.reply == .accepted(AcceptedReply(nextPromised: false)))
        let below = Acceptor.accept(state, Accept(key: Key("k"), ballot: ballot(4), cell: cell(4), next: nil))
        #expect(below.state == nil)
        #expect(below.reply == .refused(RefusedReply(promised: ballot(5), acceptedBallot: .zero)))
    }

    @Test func aDuplicateIsAYesButNoPromise() {
        let accept = Accept(key: Key("k"), ballot: ballot(5), cell: cell(5), next: ballot(9))
        let first = Acceptor.accept(.empty, accept)
        #expect(first.reply == .accepted(AcceptedReply(nextPromised: true)))
        #expect(first.state?.promised == ballot(9))
        let again = Acceptor.accept(first.state ?? .empty, accept)
        #expect(again.state == nil)
        #expect(again.reply == .accepted(AcceptedReply(nextPromised: false)))
    }

    @Test func equalTimesAreToldApartByNode() {
        let state = RegisterState(promised: ballot(5, 2), accepted: nil)
        #expect(Acceptor.prepare(state, ballot: ballot(5, 1)).state == nil)
        #expect(Acceptor.prepare(state, ballot: ballot(5, 3)).state != nil)
    }
}

@Suite struct ResolutionTests {
    private func ballot(_ time: UInt64) -> Ballot { Ballot(time: HybridTime(time), node: NodeID(1)) }
    private func cell(_ version: UInt64, base: UInt64? = nil) -> Cell {
        Cell(version: ballot(version), base: base.map { ballot($0) }, content: .tombstone, expiryMs: nil)
    }

    @Test func anOwnVersionIsApplied() {
        #expect(Resolution.judge(newest: cell(7), ours: [ballot(5), ballot(7)]) == .applied(ballot(7)))
    }

    @Test func aChangeFoundedOnOursProvesIt() {
        #expect(Resolution.judge(newest: cell(9, base: 7), ours: [ballot(7)]) == .applied(ballot(7)))
    }

    @Test func anOlderVersionOrBaseDisprovesIt() {
        #expect(Resolution.judge(newest: nil, ours: [ballot(7)]) == .neverApplied)
        #expect(Resolution.judge(newest: cell(6), ours: [ballot(7)]) == .neverApplied)
        #expect(Resolution.judge(newest: cell(9, base: 6), ours: [ballot(7)]) == .neverApplied)
        // Compared with an absent register.
        #expect(Resolution.judge(newest: cell(9, base: 0), ours: [ballot(7)]) == .neverApplied)
    }

    @Test func aLaterOverwriteTellsNothing() {
        #expect(Resolution.judge(newest: cell(9), ours: [ballot(7)]) == .unknown)
        #expect(Resolution.judge(newest: cell(9, base: 8), ours: [ballot(7)]) == .unknown)
    }
}
