import Synchronization
import Testing
import Wire

@testable import StormoClient

/// What callers notice while the ring changes and nodes come and go in order: nothing.
@Suite struct RingChangeTests {
    private func key(_ isRight: (Key) -> Bool) throws -> Key {
        let key = (0..<10_000).lazy.map { Key("key/\($0)") }.first { isRight($0) }
        return try #require(key)
    }

    @Test func aJointRingIsRoutedByTheLayoutInForce() async throws {
        let cluster = try await FakeCluster.start(3)
        try await cluster.withClient { client in
            let fourth = try await cluster.addNode()
            cluster.setRing(epoch: 2, Array(cluster.nodes.prefix(3)), next: cluster.nodes)
            let joint = try #require(cluster.ring)
            await eventually("the joint ring is known, and the new member reached by its address") {
                client.cluster?.ring?.epoch == Epoch(2) && fourth.connectionCount > 0
            }
            let moving = try key { joint.nextReplicas(of: $0.token)?.first == fourth.id }
            fourth.forgetReceived()
            for _ in 0..<10 { try await client.put(moving, [1]) }
            #expect(fourth.received.isEmpty)
            // Once the change is over the new member is asked first.
            cluster.setRing(epoch: 3, cluster.nodes)
            await eventually("the new layout is used") {
                _ = try? await client.put(moving, [2])
                return !fourth.received.isEmpty
            }
        }
        await cluster.stop()
    }

    @Test(arguments: [ErrorCode.staleEpoch, .notWhole, .notReady])
    func refusalsOfAChangingRingAreNotSeen(code: ErrorCode) async throws {
        let cluster = try await FakeCluster.start(3)
        let refusing = Mutex(true)
        for node in cluster.nodes {
            let refusal = node.refusal(code)
            node.script { message in
                if case .clusterRequest = message { return nil }
                return refusing.withLock { $0 } ? .answer(refusal) : nil
            }
        }
        try await cluster.withClient { client in
            // All nodes refuse for a while: both wait, and neither fails.
            async let put = client.put(Key("a"), [1])
            async let get = client.get(Key("b"))
            await eventually("all were asked") { cluster.nodes.allSatisfy { $0.received.count >= 2 } }
            refusing.withLock { $0 = false }
            let (written, found) = try await (put, get)
            #expect(written.applied && found == nil)
        }
        #expect(cluster.store.state.withLock { $0.writes } == 1)
        await cluster.stop()
    }

    @Test func aRefusalThatLastsIsToldAtTheDeadline() async throws {
        let cluster = try await FakeCluster.start(2)
        for node in cluster.nodes {
            node.script { [refusal = node.refusal(.notWhole)] message in
                if case .clusterRequest = message { nil } else { .answer(refusal) }
            }
        }
        try await cluster.withClient({ $0.operationTimeoutMs = 300 }) { client in
            let error = await failure { () async throws(ClientError) in try await client.put(Key("a"), [1]) }
            guard case .refused(.notWhole, _)? = error else {
                return #expect(Bool(false), "\(String(describing: error))")
            }
        }
        await cluster.stop()
    }

    @Test func theNewEpochIsLearnedThoughItsTellerIsGone() async throws {
        let cluster = try await FakeCluster.start(3)
        let old = try #require(cluster.ring)
        let teller = cluster.nodes[2]
        for node in cluster.nodes.prefix(2) { node.setKnownRing(old) }
        let asked = Mutex(0)
        try await cluster.withClient({
            $0.refreshIntervalMs = 60_000
            $0.operationTimeoutMs = 60_000
        }) { client in
            // Only the third node knows the new ring; it says so in a frame and is gone before it has told it.
            teller.script { message in
                guard case .clusterRequest = message else { return nil }
                asked.withLock { $0 += 1 }
                return .silence
            }
            cluster.setRing(epoch: 2, Array(cluster.nodes.prefix(2)))
            _ = try await client.statistics(of: teller.id)
            await eventually("it was asked") { asked.withLock { $0 } > 0 }
            for node in cluster.nodes { node.setKnownRing(nil) }
            await teller.stop()
            await eventually("another one is asked") { client.cluster?.ring?.epoch == Epoch(2) }
        }
        await cluster.stop()
    }

    @Test func aNodeTakenFromTheRingAndStoppedIsForgotten() async throws {
        let cluster = try await FakeCluster.start(3)
        let leaving = cluster.nodes[0]
        try await cluster.withClient({
            $0.seeds = cluster.nodes.dropFirst().map(\.address)
            $0.refreshIntervalMs = 20
        }) { client in
            cluster.store.state.withLock { $0.gone = [(leaving.id, leaving.name, leaving.address)] }
            cluster.setRing(epoch: 2, Array(cluster.nodes.dropFirst()))
            await eventually("it is let go") { leaving.connectionCount == 0 }
            await leaving.stop()
            for index in 0..<50 { try await client.put(Key("k\(index)"), [1]) }
            #expect(client.figure("client_outcomes_unknown_total") == 0)
            // And taken up again when it is back.
            try await leaving.listen()
            cluster.store.state.withLock { $0.gone = [] }
            cluster.setRing(epoch: 3, cluster.nodes)
            await eventually("it is connected again") { leaving.connectionCount > 0 }
        }
        await cluster.stop()
    }

    @Test func aNodeThatGoesDownInOrderCostsNoWriteAndNoRead() async throws {
        let cluster = try await FakeCluster.start(3)
        let ring = try #require(cluster.ring)
        let node = cluster.nodes[0]
        let key = try key { ring.replicas(of: $0.token).first == node.id }
        let held = Mutex<[@Sendable () -> Void]>([])
        node.hold { answer in held.withLock { $0.append(answer) } }
        try await cluster.withClient({ $0.operationTimeoutMs = 60_000 }) { client in
            async let put = client.put(key, [1])
            async let get = client.get(key)
            await eventually("both are in flight") { held.withLock { $0.count } == 2 }
            node.announce(.error(ErrorMessage(code: .draining, detail: "n1 stops")))
            // The read is asked elsewhere at once; the write waits for its answer, and the connection for the write.
            _ = try await get
            #expect(client.figure("client_silences_total") == 0)
            let before = node.received.count
            for _ in 0..<5 { try await client.put(key, [2]) }
            #expect(node.received.count == before && node.connectionCount == 1)
            for answer in held.withLock({ $0 }) { answer() }
            let written = try await put
            #expect(written.applied)
            await eventually("the connection ends") { node.connectionCount == 0 }
            #expect(client.figure("client_outcomes_unknown_total") == 0)
        }
        await cluster.stop()
    }

    @Test func changesOfTheRingAreAskedOnce() async throws {
        let cluster = try await FakeCluster.start(2)
        let plan = RingPlan(
            epoch: Epoch(2), replicas: 2, shares: [.init(node: NodeID(1), name: "n1", before: 1, after: 2, copies: 1)],
            dangers: [])
        let code = Mutex<ErrorCode?>(nil)
        for node in cluster.nodes {
            node.script { [node] message in
                guard case .changeRing = message else { return nil }
                guard let code = code.withLock({ $0 }) else { return .answer(.ringPlan(plan)) }
                return .answer(node.refusal(code))
            }
        }
        try await cluster.withClient { client in
            let dry = try await client.changeRing(.add("n3"), dryRun: true)
            let begun = try await client.changeRing(.replicationFactor(2))
            #expect(dry == plan && begun == plan)
            for refusal in [ErrorCode.ringBusy, .ringRefused] {
                code.withLock { $0 = refusal }
                let error = await failure { () async throws(ClientError) in try await client.changeRing(.abort) }
                guard case .refused(refusal, _)? = error else {
                    Issue.record("\(String(describing: error))")
                    continue
                }
            }
            for change in [
                .add(String(repeating: "x", count: 256)), .remove(String(repeating: "x", count: 256)),
                .replace("a", with: String(repeating: "x", count: 256)), .replicationFactor(0), .replicationFactor(-1),
                .replicationFactor(65_536),
            ] as [RingChange] {
                let error = await failure { () async throws(ClientError) in try await client.changeRing(change) }
                guard case .refused(.invalid, _)? = error else {
                    Issue.record("\(change): \(String(describing: error))")
                    continue
                }
            }
        }
        let asked = cluster.nodes.flatMap(\.received)
        #expect(asked.count == 4, "\(asked)")
        #expect(asked.contains(.changeRing(ChangeRing(change: .add("n3"), dryRun: true))))
        await cluster.stop()
    }

    @Test func aChangeWhoseAnswerIsLostIsUnknown() async throws {
        let cluster = try await FakeCluster.start(1)
        cluster.nodes[0].script { message in if case .changeRing = message { .drop } else { nil } }
        try await cluster.withClient { client in
            let error = await failure { () async throws(ClientError) in try await client.changeRing(.abort) }
            guard case .outcomeUnknown? = error else { return #expect(Bool(false), "\(String(describing: error))") }
        }
        await cluster.stop()
    }

    @Test func repairIsAskedOfItsNodeAndForgettingOfAny() async throws {
        let cluster = try await FakeCluster.start(3)
        for node in cluster.nodes {
            node.script { message in
                switch message {
                case .repairRequest(let request):
                    var status = RepairStatus()
                    status.isRunning = request.begin
                    status.rangesTotal = UInt32(node.id.rawValue)
                    return .answer(.repairStatus(status))
                case .forgetMember: return .answer(.done)
                default: return nil
                }
            }
        }
        try await cluster.withClient { client in
            for id in 1...3 as ClosedRange<UInt64> {
                let status = try await client.repair(at: NodeID(id), begin: id == 2)
                #expect(status.rangesTotal == UInt32(id) && status.isRunning == (id == 2))
            }
            try await client.forgetMember("n9")
        }
        #expect(cluster.nodes.flatMap(\.received).contains(.forgetMember(ForgetMember(node: "n9"))))
        await cluster.stop()
    }
}
