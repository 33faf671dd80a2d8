import Testing
import Wire

@Suite struct RingTests {
    private func ring(_ count: Int, factor: Int = 3, virtualNodes: UInt16 = 64, zone: (Int) -> String = { _ in "" })
        -> Ring
    {
        Ring(
            clusterID: .none, epoch: Epoch(1), replicationFactor: factor,
            members: (0..<count).map {
                RingMember(
                    id: NodeID(XXH64.hash([UInt8($0)])), name: "n\($0)", address: "n\($0):7000", zone: zone($0),
                    virtualNodes: virtualNodes)
            })
    }

    private let tokens: [UInt64] =
        [0, 1, .max, .max - 1, 1 << 63] + (0..<500).map { XXH64.hash([UInt8($0 & 255), UInt8($0 >> 8)]) }

    @Test(arguments: [1, 2, 3, 5, 9], [1, 2, 3, 5]) func replicaSetsAreDistinctAndFull(count: Int, factor: Int) {
        let ring = ring(count, factor: factor)
        #expect(ring.replicas == min(count, factor))
        #expect(ring.quorum == ring.replicas / 2 + 1)
        for token in tokens {
            let set = ring.replicas(of: token)
            #expect(set.count == min(count, factor))
            #expect(Set(set).count == set.count)
        }
    }

    @Test func theFirstReplicaOwnsTheTokenAtOrAfter() {
        let ring = ring(4, factor: 1)
        // The table once more, the plain way.
        let points = ring.members.flatMap { member in member.tokens.map { (token: $0, id: member.id) } }.sorted {
            $0.token < $1.token
        }
        for token in tokens + points.map(\.token) + points.map({ $0.token &+ 1 }) {
            let owner = points.first(where: { $0.token >= token }) ?? points[0]
            #expect(ring.replicas(of: token) == [owner.id])
        }
        let last = points[points.count - 1].token
        #expect(ring.replicas(of: last &+ 1) == [points[0].id], "behind the last token the circle begins anew")
    }

    @Test func theOrderOfMembersDoesNotMatter() {
        let ring = ring(6)
        let shuffled = Ring(
            clusterID: .none, epoch: Epoch(1), replicationFactor: 3, members: ring.members.reversed())
        #expect(shuffled == ring)
        #expect(tokens.allSatisfy { ring.replicas(of: $0) == shuffled.replicas(of: $0) })
    }

    @Test func aMemberMoreMovesOnlyItsShare() {
        let before = ring(5, factor: 1)
        let after = ring(6, factor: 1)
        let new = NodeID(XXH64.hash([5]))
        var moved = 0
        for token in tokens where before.replicas(of: token) != after.replicas(of: token) {
            #expect(after.replicas(of: token) == [new], "nothing moves between old members")
            moved += 1
        }
        #expect(moved > 0 && moved < tokens.count / 2)
    }

    @Test func replicasSpreadOverZones() {
        let three = ring(6) { ["a", "b", "c"][$0 % 3] }
        for token in tokens {
            let zones = three.replicas(of: token).compactMap { three.member($0)?.zone }
            #expect(Set(zones) == ["a", "b", "c"])
        }
        let two = ring(5) { ["a", "b"][$0 % 2] }
        for token in tokens {
            let set = two.replicas(of: token)
            #expect(Set(set).count == 3 && Set(set.compactMap { two.member($0)?.zone }).count == 2)
        }
        // One node alone in its zone is in every set.
        let lone = ring(4) { $0 == 3 ? "b" : "a" }
        let only = NodeID(XXH64.hash([3]))
        #expect(tokens.allSatisfy { lone.replicas(of: $0).contains(only) })
    }

    @Test(arguments: [1, 2, 3, 7]) func sharesSumToOne(count: Int) {
        let ring = ring(count)
        let shares = ring.members.map { ring.primaryShare(of: $0.id) }
        #expect(abs(shares.reduce(0, +) - 1) < 1e-9)
        #expect(shares.allSatisfy { $0 > 0.3 / Double(count) && $0 < 2.5 / Double(count) }, "\(shares)")
        #expect(ring.primaryShare(of: NodeID(1)) == 0)
    }

    @Test func sharesAreThoseOfTheTokens() {
        let ring = ring(3)
        for member in ring.members {
            let hits = (0..<20_000).count { ring.replicas(of: XXH64.hash(Array("key-\($0)".utf8))).first == member.id }
            #expect(abs(Double(hits) / 20_000 - ring.primaryShare(of: member.id)) < 0.02)
        }
    }

    /// The greatest ring that a peer may send is taken in a moment: 65,536 tokens, and one zone that is met only once.
    @Test func theGreatestRingIsComputedInOneWalk() {
        let members = (1...64).map { number in
            RingMember(
                id: NodeID(UInt64(number)), name: "", address: "", zone: number == 1 ? "rare" : "common",
                virtualNodes: number == 1 ? 1 : UInt16(WireLimits.virtualNodesMax))
        }
        let layout = RingLayout(replicationFactor: 3, members: members)
        #expect(tokens.allSatisfy { layout.replicas(of: $0).contains(NodeID(1)) })
        #expect(tokens.allSatisfy { Set(layout.replicas(of: $0)).count == 3 })
    }

    private func joint(_ before: Ring, _ after: Ring) -> Ring {
        Ring(clusterID: .none, epoch: Epoch(2), layout: before.layout, next: after.layout)
    }

    @Test func aJointRingTellsWhatMoves() {
        let ring = joint(ring(5), ring(6))
        let new = NodeID(XXH64.hash([5]))
        #expect(ring.member(new) != nil && ring.layout.member(new) == nil && ring.allMembers.count == 6)
        var moves = 0
        for token in tokens {
            #expect(ring.replicas(of: token) == ring.layout.replicas(of: token))
            guard let next = ring.nextReplicas(of: token) else { continue }
            moves += 1
            #expect(next.contains(new), "only the new member gets anything")
        }
        #expect(moves > 0 && moves < tokens.count)
    }

    @Test func segmentsCoverTheRingOnce() {
        for ring in [ring(1, virtualNodes: 1), ring(4), joint(ring(4), ring(5)), joint(ring(4), ring(4, factor: 2))] {
            let segments = ring.segments
            #expect(abs(segments.map(\.range.share).reduce(0, +) - 1) < 1e-9)
            for token in tokens {
                let holding = segments.filter { $0.range.contains(token) }
                #expect(holding.count == 1)
                #expect(holding.first?.replicas == ring.replicas(of: token))
                #expect(holding.first?.next == ring.nextReplicas(of: token))
            }
        }
    }

    @Test func rangesAreSplitWithoutGaps() {
        for range in [TokenRange.all, TokenRange(after: .max - 99, through: 100), TokenRange(after: 7, through: 9)] {
            for count in [1, 2, 3, 64, 1_024] {
                let parts = range.split(into: count)
                #expect(parts.count == count || parts == [range])
                #expect(parts[0].after == range.after && parts[parts.count - 1].through == range.through)
                for (part, next) in zip(parts, parts.dropFirst()) { #expect(part.through == next.after) }
                for token in tokens where range.contains(token) {
                    #expect(parts.count { $0.contains(token) } == 1)
                }
            }
        }
    }

    @Test func anEmptyRingHoldsNothing() {
        let ring = ring(0)
        #expect(ring.replicas == 0 && ring.replicas(of: 5).isEmpty && ring.member(NodeID(1)) == nil)
    }

    @Test func aRingOfOneTokenIsItsMembers() {
        let ring = ring(1, virtualNodes: 1)
        #expect(abs(ring.primaryShare(of: ring.members[0].id) - 1) < 1e-9)
        #expect(tokens.allSatisfy { ring.replicas(of: $0) == [ring.members[0].id] })
    }
}
