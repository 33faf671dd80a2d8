import ArgumentParser
import StormoClient
import Testing
import Wire

@testable import Stormo

/// What the commands about the ring say.
@Suite struct RingReportTests {
    private static func member(_ number: UInt64) -> RingMember {
        RingMember(
            id: NodeID(number), name: "n\(number)", address: "10.0.0.\(number):7400", zone: "z\(number)",
            virtualNodes: 32)
    }

    private func cluster(_ members: [UInt64], next: [UInt64]? = nil, factor: Int = 3, dead: [UInt64] = [])
        -> ClusterState
    {
        func layout(_ numbers: [UInt64]) -> RingLayout {
            RingLayout(replicationFactor: factor, members: numbers.map(Self.member))
        }
        let ring = Ring(clusterID: .none, epoch: Epoch(7), layout: layout(members), next: next.map(layout))
        return ClusterState(
            name: "test", answeredBy: NodeID(1), ring: ring,
            members: Set(members + (next ?? [])).sorted().map { number in
                let member = Self.member(number)
                return MemberInfo(
                    identity: PeerIdentity(
                        role: .node, id: member.id, name: member.name, incarnation: 1, address: member.address,
                        zone: member.zone), state: dead.contains(number) ? .dead : .alive)
            })
    }

    private func figures(_ number: UInt64, _ values: [String: UInt64]) -> NodeFigures {
        NodeFigures(
            member: Self.member(number),
            figures: .success(
                NodeStatistics(items: values.sorted { $0.key < $1.key }.map { .init(name: $0.key, value: $0.value) })))
    }

    private func silence(_ number: UInt64) -> NodeFigures {
        NodeFigures(member: Self.member(number), figures: .failure(.unreachable("gone")))
    }

    @Test func `a ring at rest is shown with its shares`() {
        let report = RingReport(
            cluster([1, 2, 3, 4], dead: [4]),
            figures: [figures(1, ["storage_keys_approximate": 12_345, "hints_pending": 3]), silence(4)])
        #expect(report.lines[0] == "ring 7 of test: 4 nodes, 3 copies, at rest")
        #expect(report.change == nil && report.members.map(\.name) == ["n1", "n2", "n3", "n4"])
        let owns = report.members.reduce(0) { $0 + $1.ownsPercent }
        let holds = report.members.reduce(0) { $0 + $1.holdsPercent }
        #expect(abs(owns - 100) < 0.5 && abs(holds - 300) < 0.5)
        #expect(report.members.allSatisfy { $0.role == "member" && $0.holdsNextPercent == nil })
        #expect(report.members.map(\.state) == ["alive", "alive", "alive", "dead"])
        let rows = report.lines.suffix(4).map { $0.split(separator: " ").joined(separator: " ") }
        #expect(rows[0].contains("12,345 3 10.0.0.1:7400 0000000000000001"))
        #expect(rows[3].contains("- - 10.0.0.4:7400"))
    }

    @Test func `more copies than nodes are told`() {
        #expect(
            RingReport(cluster([1, 2]), figures: []).lines[0]
                == "ring 7 of test: 2 nodes, 2 copies of 3 wanted, at rest")
    }

    @Test func `a change under way is shown with what is left`() {
        let report = RingReport(
            cluster([1, 2, 3], next: [1, 2, 3, 4]),
            figures: [
                figures(1, ["transfer_ranges_total": 0]), figures(2, [:]), silence(3),
                figures(4, ["transfer_ranges_total": 40, "transfer_ranges_done": 10, "transfer_left_ms": 150_000]),
            ])
        #expect(report.change?.kind == "add-node" && report.change?.joining == ["n4"])
        #expect(
            Array(report.lines.prefix(4)) == [
                "ring 7 of test: 4 nodes, 3 copies, changing", "n4 joins", "  n4 has 10 of 40 ranges",
                "  no word from n3",
            ])
        // Who is silent may be slower than all who tell.
        #expect(report.change?.leftSeconds == nil)
        let fourth = report.members[3]
        #expect(fourth.role == "joining" && fourth.holdsPercent == 0)
        #expect(fourth.holdsNextPercent.map { $0 > 50 } == true)
        #expect(report.members[0].holdsPercent == 100)
    }

    @Test(arguments: [
        ([1, 2, 3, 4], [1, 2, 3], "remove-node", "n4 leaves"),
        ([1, 2, 3], [1, 2, 4], "replace-node", "n4 takes the place of n3"),
        ([1, 2, 3], [1, 2, 3], "reconfigure", "from 3 to 3 copies"),
    ])
    func `changes are named`(before: [UInt64], after: [UInt64], kind: String, words: String) {
        let report = RingReport(cluster(before, next: after), figures: [])
        #expect(report.change?.kind == kind && report.change?.words == words)
    }

    private func plan(epoch: UInt32 = 8, dangers: Int = 0) -> RingPlan {
        RingPlan(
            epoch: Epoch(epoch), replicas: 3,
            shares: [
                .init(node: NodeID(1), name: "n1", before: 1_000_000, after: 750_000, copies: 0),
                .init(node: NodeID(2), name: "n2", before: 500_000, after: 0, copies: 0),
                .init(node: NodeID(3), name: "n3", before: 0, after: 750_000, copies: 750_000),
            ],
            dangers: (0..<dangers).map { index in
                .init(
                    range: TokenRange(after: UInt64(index) << 56, through: UInt64(index + 1) << 56),
                    alive: index == 0 ? [] : [NodeID(2), NodeID(1)], needed: 2)
            })
    }

    @Test func `partitions that have to move are counted`() {
        func topic(_ replicas: [[UInt64]], factor: UInt16 = 3) -> TopicInfo {
            TopicInfo(
                name: "t", id: TopicID(1),
                configuration: TopicConfiguration(partitions: UInt32(replicas.count), replicationFactor: factor),
                partitions: replicas.enumerated().map { index, replicas in
                    PartitionInfo(
                        index: UInt32(index), epoch: 1, primary: NodeID(replicas[0]),
                        replicas: replicas.map(NodeID.init),
                        inSync: [], firstOffset: 0, highWatermark: 0, bytes: 0)
                })
        }
        func left(_ topic: TopicInfo, _ members: [UInt64]) -> [UInt32] {
            PartitionMoves.left([topic], over: members.map(Self.member)).map(\.index)
        }
        #expect(left(topic([[1, 2, 3], [2, 3, 1]]), [1, 2, 3]) == [])
        #expect(left(topic([[1, 2, 3], [1, 2, 3]]), [1, 2, 3]) == [], "another first one moves nothing")
        #expect(left(topic([[1, 2, 3], [2, 3, 4], [3, 4, 1]]), [1, 2, 3]) == [1, 2])
        #expect(left(topic([[1, 2, 3, 4]]), [1, 2, 4]) == [0], "on its way")
        #expect(left(topic([[1], [1], [1], [1]], factor: 1), [1, 2]).count == 2)
        let members = PartitionMoves.members(after: plan(), in: cluster([1, 2], next: [1, 3]))
        #expect(members.map(\.name) == ["n1", "n3"] && members.map(\.zone) == ["z1", "z3"])
    }

    @Test func `a plan tells what moves, about`() throws {
        // Two nodes with one and a half copies of everything: one copy is 2,000 keys and 2 MiB.
        let stored: [String: UInt64] = [
            "storage_keys_approximate": 2_000, "storage_sqlite_bytes": 1 << 20, "storage_memtable_bytes": 1 << 20,
        ]
        let half: [String: UInt64] = ["storage_keys_approximate": 1_000, "storage_sqlite_bytes": 1 << 20]
        let report = RingPlanReport(
            plan(), dryRun: true, figures: [figures(1, stored), figures(2, half), figures(3, stored)])
        #expect(
            report.lines == [
                "NODE    HOLDS    THEN  COPIES  KEYS, ABOUT  BYTES, ABOUT",
                "n1    100.0 %  75.0 %       -            -             -",
                "n2     50.0 %   0.0 %       -            -             -",
                "n3      0.0 %  75.0 %  75.0 %        1,500       1.5 MiB",
            ])
        let blind = RingPlanReport(plan(), dryRun: true, figures: [silence(1), silence(2), silence(3)])
        #expect(blind.lines[3].hasSuffix("75.0 %            ?             ?"))
    }

    @Test func `stretches in danger are listed, and many are counted`() {
        let report = RingPlanReport(plan(dangers: 12), dryRun: true, figures: [])
        let lines = report.lines.suffix(12)
        #expect(lines.first == "REFUSED: these stretches of the ring have too few living replicas:")
        #expect(lines.dropFirst().first == "  0.39 % of the keys: nobody lives, 2 are needed")
        #expect(lines.dropFirst(2).first == "  0.39 % of the keys: n1, n2 live, 2 are needed")
        #expect(lines.last == "  and 2 more with 0.78 % of the keys")
    }

    @Test func `the end of a change is told from its being taken back`() {
        func ring(_ epoch: UInt32, _ members: [UInt64], next: [UInt64]? = nil) -> Ring {
            func layout(_ numbers: [UInt64]) -> RingLayout {
                RingLayout(replicationFactor: 3, members: numbers.map(Self.member))
            }
            return Ring(clusterID: .none, epoch: Epoch(epoch), layout: layout(members), next: next.map(layout))
        }
        var plan = plan()
        plan.replicas = 2
        #expect(RingWait.outcome(of: plan, in: ring(7, [1, 3])) == nil, "an older ring has the end before it")
        #expect(RingWait.outcome(of: plan, in: ring(8, [1, 2], next: [1, 3])) == nil)
        #expect(RingWait.outcome(of: plan, in: ring(9, [1, 3])) == .done)
        #expect(RingWait.outcome(of: plan, in: ring(9, [1, 2])) == .superseded)
        #expect(RingWait.outcome(of: plan, in: ring(10, [1, 2], next: [1, 2, 3])) == nil)
    }

    @Test func `progress counts from the first look on`() {
        func progress(_ done: UInt64, keys: UInt64, left: UInt64 = 0) -> RingProgress {
            RingProgress([
                figures(
                    3,
                    [
                        "transfer_ranges_total": 40, "transfer_ranges_done": done, "transfer_keys_total": keys,
                        "transfer_bytes_total": keys * 100, "transfer_left_ms": left,
                    ])
            ])
        }
        let first = progress(0, keys: 5_000)
        #expect(RingWait.text(RingProgress([]), since: first) == "waiting for the nodes that copy")
        #expect(
            RingWait.text(progress(10, keys: 17_345, left: 150_000), since: first)
                == "25 % · n3: 10 of 40 ranges · 12,345 keys · 1.2 MiB · about 2m30s left")
        // A node that was started anew counts from zero.
        #expect(RingWait.text(progress(40, keys: 10), since: first) == "100 % · n3: 40 of 40 ranges · 0 keys · 0 B")
    }

    @Test func `members are listed by role and name`() {
        var state = cluster([1, 2])
        state.members.append(
            MemberInfo(
                identity: PeerIdentity(role: .gateway, id: NodeID(9), name: "gw", incarnation: 1, address: ""),
                state: .left))
        state.members.insert(
            MemberInfo(
                identity: PeerIdentity(
                    role: .node, id: NodeID(3), name: "n0", incarnation: 1, address: "10.0.0.9:7400"), state: .alive),
            at: 0)
        let report = MemberReport(state)
        #expect(report.members.map(\.name) == ["n0", "n1", "n2", "gw"])
        #expect(report.members.map(\.isInRing) == [false, true, true, false])
        let rows = report.lines.map { $0.split(separator: " ").joined(separator: " ") }
        #expect(rows[1] == "n0 node alive no 10.0.0.9:7400 0000000000000003")
        #expect(rows[4] == "gw gateway left 0000000000000009")
    }

    @Test func `a repair is whole when everything asked for was compared`() {
        func status(_ done: UInt32, of total: UInt32, failed: UInt32 = 0, running: Bool = false) -> RepairStatus {
            var status = RepairStatus()
            (status.rangesDone, status.rangesTotal, status.rangesFailed) = (done, total, failed)
            status.isRunning = running
            status.keysCompared = 12_345
            status.keysRepaired = 3
            status.bytes = 1 << 20
            status.elapsedMs = 30_000
            return status
        }
        let running = RepairReport([
            ("n1", .success(status(10, of: 40, running: true))), ("n2", .success(status(20, of: 20))),
        ])
        #expect(running.isRunning && running.leftMs == 90_000)
        #expect(running.progress == "50 % · 30 of 60 comparisons · 6 keys mended · about 1m30s left")
        let done = RepairReport([("n1", .success(status(40, of: 40)))])
        #expect(!done.isRunning && done.isWhole(asked: true))
        #expect(done.lines[1].split(separator: " ").joined(separator: " ") == "n1 done 40 of 40 0 12,345 3 1.0 MiB 30s")
        #expect(!RepairReport([("n1", .success(status(39, of: 40, failed: 1)))]).isWhole(asked: false))
        // It was started anew in between and knows of nothing.
        let forgotten = RepairReport([("n1", .success(RepairStatus())), ("n2", .success(status(3, of: 40)))])
        #expect(!forgotten.isWhole(asked: true) && forgotten.isWhole(asked: false))
        let silent = RepairReport([("n1", .failure(.unreachable("gone")))])
        #expect(!silent.isWhole(asked: false) && silent.lines.last == "n1: cluster unreachable: gone")
    }

    @Test func `a node to repair is named by name, id or address`() throws {
        let state = cluster([1, 2, 3])
        #expect(try RepairCommand.nodes(of: state, named: nil).map(\.name) == ["n1", "n2", "n3"])
        for name in ["n2", "0000000000000002", "10.0.0.2:7400"] {
            #expect(try RepairCommand.nodes(of: state, named: name).map(\.name) == ["n2"])
        }
        #expect(throws: ValidationError.self) { try RepairCommand.nodes(of: state, named: "n9") }
    }
}
