import Testing

extension ProcessTests {
    /// Consumer groups whose members come and go under a steady load.
    @Suite struct GroupFaultTests {
        @Test func `only what must move changes hands when a member dies, and when one comes`() async throws {
            try await GroupScene.with(members: 4, partitions: 12, periodMs: 100, sessionLeaseMs: 2_000) { scene in
                _ = scene.mark()
                let dead = try await scene.killMember(0)
                #expect(dead.partitions.count == 3)
                try await scene.settle(members: 3)
                scene.expectOnly(moving: Set(dead.partitions))
                let log = scene.log
                let pause = dead.partitions.compactMap { log.firstDelivery($0, since: dead.atNs) }.max() ?? .zero
                print("    a member of four died: delivery of its partitions went on after \(pause.text)")

                _ = scene.mark()
                let newcomer = try await scene.addMember()
                try await scene.settle(members: 4)
                let moves = scene.log.moves
                #expect(moves.count == 3 && moves.allSatisfy { $0.to == newcomer }, "\(moves)")
            }
        }
    }
}

/// The log of deliveries tells what it is there for: made-up ones with known verdicts.
@Suite struct DeliveryLogTests {
    private func log(_ deliveries: [(partition: UInt32, member: Int, offsets: Range<UInt64>)]) -> DeliveryLog {
        var log = DeliveryLog()
        for (index, one) in deliveries.enumerated() {
            log.delivered(
                one.partition,
                DeliveryLog.Delivery(member: one.member, offsets: one.offsets, atNs: UInt64(index) * 1_000_000))
        }
        return log
    }

    @Test func `a partition that is taken from its owner is a move`() {
        let log = log([(0, 1, 0..<1), (1, 2, 0..<1), (0, 1, 1..<2), (1, 3, 1..<2), (0, 1, 2..<3)])
        #expect(log.moves == [DeliveryLog.Move(partition: 1, from: 2, to: 3)])
        #expect(log.owner(0) == 1 && log.owner(1) == 3)
    }

    @Test func `a partition that comes back to its owner has moved twice`() {
        #expect(log([(0, 1, 0..<1), (0, 2, 1..<2), (0, 1, 2..<3)]).moves.count == 2)
    }

    @Test func `records passed over and given again are told`() {
        let skipping = log([(0, 1, 0..<2), (0, 1, 3..<4)])
        #expect(skipping.skipped == [0] && skipping.repeated == 0)
        let again = log([(0, 1, 0..<4), (0, 2, 2..<5)])
        #expect(again.skipped.isEmpty && again.repeated == 2)
    }

    @Test func `pauses are those that end within the time asked for`() {
        // At 0, 1, 4 and 5 ms.
        let log = log([(0, 1, 0..<1), (0, 1, 1..<2), (1, 1, 0..<1), (1, 1, 1..<2), (0, 1, 2..<3), (0, 1, 3..<4)])
        #expect(log.longestPause(0) == .milliseconds(3))
        #expect(log.longestPause(0, until: 4_000_000) == .milliseconds(1))
        #expect(log.longestPause(0, since: 4_500_000) == .milliseconds(1))
        #expect(log.firstDelivery(0, since: 2_000_000) == .milliseconds(2))
        #expect(log.firstDelivery(0, since: 6_000_000) == nil)
    }

    @Test func `forgetting keeps who had what`() {
        var log = log([(0, 1, 0..<1), (0, 2, 1..<2)])
        log.forget()
        #expect(log.moves.isEmpty && log.owner(0) == 2)
        log.delivered(0, DeliveryLog.Delivery(member: 3, offsets: 2..<3, atNs: 9))
        #expect(log.moves == [DeliveryLog.Move(partition: 0, from: 2, to: 3)])
    }
}
