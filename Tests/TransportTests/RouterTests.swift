import Synchronization
import Testing
import Wire

@testable import StormoClient

/// How the client routes, retries and gives up, against nodes that do as they are told.
@Suite struct RouterTests {
    func keys(_ count: Int) -> [Key] { (0..<count).map { Key("key/\($0)") } }

    /// A key whose first replica is the node of an id.
    func key(at id: UInt64, _ cluster: FakeCluster) throws -> Key {
        let ring = try #require(cluster.ring)
        return try #require(keys(1_000).first { ring.replicas(of: $0.token).first == NodeID(id) })
    }

    @Test func operationsGoToTheFirstReplica() async throws {
        let cluster = try await FakeCluster.start(3)
        let ring = try #require(cluster.ring)
        let silences = try await cluster.withClient { client in
            for key in keys(60) {
                try await client.put(key, Array("\(key)".utf8))
                #expect(try await client.get(key)?.value == Array("\(key)".utf8))
            }
            return client.figure("client_silences_total")
        }
        var asked = 0
        // A machine so busy that a node seemed silent shows nothing of where operations go.
        guard silences == 0 else { return await cluster.stop() }
        for node in cluster.nodes {
            for message in node.received {
                asked += 1
                switch message {
                case .readRequest(let request): #expect(ring.replicas(of: request.key.token).first == node.id)
                case .writeRequest(let request): #expect(ring.replicas(of: request.key.token).first == node.id)
                default: Issue.record("unexpected \(message.type)")
                }
            }
        }
        #expect(asked == 120 && cluster.nodes.allSatisfy { !$0.received.isEmpty })
        await cluster.stop()
    }

    @Test func theNextReplicaStandsIn() async throws {
        let cluster = try await FakeCluster.start(3)
        let key = try key(at: 2, cluster)
        let next = try #require(cluster.ring).replicas(of: key.token)[1]
        try await cluster.withClient { client in
            await cluster.nodes[1].stop()
            await eventually("the loss is known") { (try? await client.put(key, [1])) != nil }
            cluster.node(next)?.forgetReceived()
            for _ in 0..<5 { try await client.put(key, [2]) }
            #expect(cluster.node(next)?.received.count == 5)
            // It comes back and is used again.
            try await cluster.nodes[1].listen()
            cluster.nodes[1].forgetReceived()
            await eventually("the first replica is used again") {
                _ = try? await client.get(key)
                return !cluster.nodes[1].received.isEmpty
            }
        }
        await cluster.stop()
    }

    @Test func aMemberInDoubtIsPassedOver() async throws {
        let cluster = try await FakeCluster.start(3)
        let key = try key(at: 1, cluster)
        cluster.store.state.withLock { $0.doubted = [NodeID(1)] }
        try await cluster.withClient({ $0.refreshIntervalMs = 10 }) { client in
            await eventually("the doubt is known") {
                cluster.nodes[0].forgetReceived()
                _ = try? await client.get(key)
                return cluster.nodes[0].received.isEmpty
            }
        }
        await cluster.stop()
    }

    @Test func aNodeThatHasLostTheOthersIsPassedOver() async throws {
        let cluster = try await FakeCluster.start(3)
        let key = try key(at: 1, cluster)
        let store = cluster.store
        try await cluster.withClient({ $0.refreshIntervalMs = 10 }) { client in
            // Node 1 is cut off and calls the others dead, first of all; then they do as much of it.
            cluster.nodes[0].script { message in
                guard message == .clusterRequest else { return nil }
                let ring = store.state.withLock { state in
                    state.doubted = [NodeID(1)]
                    return state.ring
                }
                let members = (ring?.members ?? []).map { member in
                    MemberInfo(
                        identity: PeerIdentity(
                            role: .node, id: member.id, name: member.name, incarnation: 1, address: member.address),
                        state: member.id == NodeID(1) ? .alive : .dead)
                }
                return .answer(
                    .clusterState(ClusterState(name: "test", answeredBy: NodeID(1), ring: ring, members: members)))
            }
            await eventually("the word of node 1 has come") { !store.state.withLock { $0.doubted.isEmpty } }
            await eventually("node 1 is passed over") {
                cluster.nodes[0].forgetReceived()
                for _ in 0..<20 { _ = try? await client.get(key) }
                return cluster.nodes[0].received.isEmpty
            }
        }
        await cluster.stop()
    }

    @Test func aWriteLostAfterSendingIsUnknownAndNotRepeated() async throws {
        let cluster = try await FakeCluster.start(3)
        let key = try key(at: 1, cluster)
        cluster.nodes[0].script { message in if case .writeRequest = message { .doAndDrop } else { nil } }
        try await cluster.withClient { client in
            let error = await failure { () async throws(ClientError) in try await client.put(key, [1]) }
            guard case .outcomeUnknown(let detail)? = error else {
                return #expect(Bool(false), "\(String(describing: error))")
            }
            #expect(detail.contains("n1"))
            #expect(client.figure("client_outcomes_unknown_total") == 1)
        }
        let writes = cluster.nodes.flatMap(\.received).filter { if case .writeRequest = $0 { true } else { false } }
        #expect(writes.count == 1 && cluster.store.state.withLock { $0.writes } == 1)
        await cluster.stop()
    }

    @Test func aReadLostAfterSendingIsAskedElsewhere() async throws {
        let cluster = try await FakeCluster.start(3)
        let key = try key(at: 1, cluster)
        try await cluster.withClient { client in
            try await client.put(key, [7])
            cluster.nodes[0].script { message in if case .readRequest = message { .drop } else { nil } }
            #expect(try await client.get(key)?.value == [7])
            #expect(client.figure("client_retries_total") >= 1)
        }
        await cluster.stop()
    }

    @Test(arguments: [
        ErrorCode.staleEpoch, .noRing, .notReady, .draining, .readOnly, .notWhole, .clockDrift, .tooOld, .overloaded,
    ])
    func aWriteThatWasCertainlyNotTakenGoesElsewhere(code: ErrorCode) async throws {
        let cluster = try await FakeCluster.start(3)
        let key = try key(at: 1, cluster)
        let node = cluster.nodes[0]
        node.script { [refusal = node.refusal(code)] message in
            if case .writeRequest = message { .answer(refusal) } else { nil }
        }
        try await cluster.withClient { client in
            let answer = try await client.put(key, [1])
            #expect(answer.applied)
        }
        #expect(cluster.store.state.withLock { $0.writes } == 1)
        await cluster.stop()
    }

    @Test func refusalsAreTold() async throws {
        let cluster = try await FakeCluster.start(1)
        let node = cluster.nodes[0]
        let code = Mutex(ErrorCode.noQuorum)
        node.script { [node] message in
            if case .clusterRequest = message { nil } else { .answer(node.refusal(code.withLock { $0 })) }
        }
        try await cluster.withClient({ $0.operationTimeoutMs = 1_000 }) { client in
            let put: () async throws(ClientError) -> Void = { () async throws(ClientError) in
                _ = try await client.put(Key("a"), [1])
            }
            let get: () async throws(ClientError) -> Void = { () async throws(ClientError) in
                _ = try await client.get(Key("a"))
            }
            #expect(await failure(put) == .noQuorum("noQuorum by n1"))
            #expect(node.received.count == 1)
            #expect(await failure(get) == .noQuorum("noQuorum by n1"))
            // The read was asked more than once before it was given up.
            #expect(node.received.count > 2)
            code.withLock { $0 = .outcomeUnknown }
            #expect(await failure(put) == .outcomeUnknown("outcomeUnknown by n1"))
            code.withLock { $0 = .internalError }
            #expect(await failure(put) == .outcomeUnknown("internalError by n1"))
            code.withLock { $0 = .overloaded }
            #expect(await failure(put) == .overloaded("overloaded by n1"))
            code.withLock { $0 = .tooOld }
            #expect(await failure(put) == .refused(.tooOld, "tooOld by n1"))
            // Told once no node has done it in time.
            for last in [ErrorCode.readOnly, .clockDrift, .notWhole] {
                code.withLock { $0 = last }
                #expect(await failure(put) == .refused(last, "\(last) by n1"))
            }
        }
        await cluster.stop()
    }

    @Test func aSilentNodeCostsOneAttemptAndIsThenAvoidedUntilItSpeaks() async throws {
        let cluster = try await FakeCluster.start(3)
        let key = try key(at: 1, cluster)
        let node = cluster.nodes[0]
        try await cluster.withClient({
            $0.operationTimeoutMs = 5_000
            $0.refreshIntervalMs = 100
        }) { client in
            node.script { _ in .silence }
            for _ in 0..<20 { _ = try await client.get(key) }
            #expect(client.figure("client_silences_total") >= 1)
            // The first read found out; the others did not ask it, however long that took.
            #expect(node.received.count == 1)
            node.script(nil)
            await eventually("it is used again") {
                _ = try? await client.get(key)
                return node.received.count > 1
            }
        }
        await cluster.stop()
    }

    @Test func aSilentWriteIsUnknownAtItsDeadline() async throws {
        let cluster = try await FakeCluster.start(2)
        let key = try key(at: 1, cluster)
        cluster.nodes[0].script { message in if case .writeRequest = message { .silence } else { nil } }
        try await cluster.withClient({ $0.operationTimeoutMs = 200 }) { client in
            let start = ContinuousClock.now
            let error = await failure { () async throws(ClientError) in try await client.put(key, [1]) }
            let took = ContinuousClock.now - start
            guard case .outcomeUnknown? = error else { return #expect(Bool(false), "\(String(describing: error))") }
            #expect(took >= .milliseconds(200))
        }
        #expect(cluster.nodes[1].received.isEmpty)
        await cluster.stop()
    }

    @Test func aNodeOfOneIDIsAskedAndNoOther() async throws {
        let cluster = try await FakeCluster.start(3)
        try await cluster.withClient({ $0.operationTimeoutMs = 1_500 }) { client in
            for id in 1...3 as ClosedRange<UInt64> {
                let figures = try await client.statistics(of: NodeID(id))
                #expect(figures.items.first?.value == id)
            }
            await #expect(throws: ClientError.self) { try await client.statistics(of: NodeID(9)) }
        }
        await cluster.stop()
    }

    @Test func manyCallersShareWakeUpsAndWrites() async throws {
        let cluster = try await FakeCluster.start(1)
        let node = cluster.nodes[0]
        try await cluster.withClient { client in
            let before = node.reads
            let count = 1_000
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<count { group.addTask { try await client.put(Key("k\(index)"), [1]) } }
                try await group.waitForAll()
            }
            #expect(cluster.store.state.withLock { $0.writes } == count)
            #expect(node.reads - before < count / 2)
        }
        await cluster.stop()
    }

    @Test func requestsInFlightAreBounded() async throws {
        let cluster = try await FakeCluster.start(1)
        cluster.nodes[0].script { message in if case .writeRequest = message { .silence } else { nil } }
        try await cluster.withClient({
            $0.inFlightMax = 10
            $0.operationTimeoutMs = 300
        }) { client in
            let overloaded = await withTaskGroup(of: Bool.self) { group in
                for index in 0..<30 {
                    group.addTask {
                        do throws(ClientError) {
                            try await client.put(Key("k\(index)"), [1])
                            return false
                        } catch { if case .overloaded = error { return true } else { return false } }
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            // A question for the cluster may hold one of the places.
            #expect((20...21).contains(overloaded))
        }
        await cluster.stop()
    }

    @Test func aNewRingIsLearned() async throws {
        let cluster = try await FakeCluster.start(3)
        cluster.setRing(epoch: 1, Array(cluster.nodes.prefix(1)))
        try await cluster.withClient({ $0.refreshIntervalMs = 60_000 }) { client in
            #expect(client.cluster?.ring?.members.count == 1)
            cluster.setRing(epoch: 2, cluster.nodes)
            // Any frame under the new epoch tells of it.
            _ = try await client.get(Key("x"))
            await eventually("the new ring") { client.cluster?.ring?.epoch == Epoch(2) }
            // One of an older epoch is not taken for news.
            cluster.setRing(epoch: 1, Array(cluster.nodes.prefix(1)))
            _ = try await client.get(Key("x"))
            #expect(client.cluster?.ring?.members.count == 3)
        }
        await cluster.stop()
    }

    @Test func aClockTooFarAheadIsRefusedWithTheReason() async throws {
        let cluster = try await FakeCluster.start(1)
        cluster.nodes[0].setClock(aheadMs: 10_000)
        let client = StormoClient(
            configuration: ClientConfiguration(
                seeds: [cluster.nodes[0].address], clusterName: "test", secret: Array("secret".utf8), role: .agent,
                name: "client"),
            logger: quiet)
        let running = Task { try await client.run() }
        await eventually("the reason is told") {
            let error = await failure { () async throws(ClientError) in try await client.waitUntilReady(timeoutMs: 200)
            }
            return error?.description.contains("clock of 'n1'") == true && error?.description.contains("NTP") == true
        }
        #expect(client.figure("client_clock_drifts_total") >= 1)
        running.cancel()
        _ = try await running.value
        await cluster.stop()
    }

    @Test func aNodeThatRefusesThisClockIsPassedOverUntilItDoesNot() async throws {
        let cluster = try await FakeCluster.start(3)
        let key = try key(at: 1, cluster)
        let node = cluster.nodes[0]
        try await cluster.withClient({ $0.refreshIntervalMs = 50 }) { client in
            try await client.put(key, [0])
            #expect(!node.received.isEmpty)
            node.script { [refusal = node.refusal(.clockDrift)] _ in .answer(refusal) }
            for value in 1...20 as ClosedRange<UInt8> { try await client.put(key, [value]) }
            // The first put found out, and its probes cost no caller anything.
            #expect(node.received.count(where: { if case .writeRequest = $0 { true } else { false } }) == 2)
            #expect(client.figure("client_clock_drifts_total") >= 1)
            node.script(nil)
            node.forgetReceived()
            await eventually("it is used again") {
                _ = try? await client.get(key)
                return !node.received.isEmpty
            }
        }
        #expect(cluster.store.state.withLock { $0.writes } == 21)
        await cluster.stop()
    }

    @Test func aNodeWhoseClockIsAheadLeavesNoWriteInDoubt() async throws {
        let cluster = try await FakeCluster.start(3)
        let key = try key(at: 1, cluster)
        cluster.nodes[0].setClock(aheadMs: 10_000)
        try await cluster.withClient { client in
            // It is connected again and again, and each time found out before it is asked for anything.
            repeat {
                try await client.put(key, [1])
            } while client.figure("client_clock_drifts_total") < 5
            #expect(cluster.nodes[0].received.isEmpty)
            cluster.nodes[0].setClock(aheadMs: 0)
            await eventually("it is used once its clock is right") {
                _ = try? await client.get(key)
                return !cluster.nodes[0].received.isEmpty
            }
        }
        await cluster.stop()
    }

    @Test func readinessSaysWhatEverySeedAnswered() async throws {
        let store = FakeStore()
        let wrongSecret = FakeNode(id: NodeID(1), store: store)
        try await wrongSecret.listen(secret: "another")
        let wrongCluster = FakeNode(id: NodeID(2), store: store)
        try await wrongCluster.listen(clusterName: "production")
        let gone = FakeNode(id: NodeID(3), store: store)
        try await gone.listen()
        await gone.stop()
        let client = StormoClient(
            configuration: ClientConfiguration(
                seeds: [wrongSecret.address, wrongCluster.address, gone.address], clusterName: "test",
                secret: Array("secret".utf8),
                role: .tool, name: "client"),
            logger: quiet)
        let running = Task { try await client.run() }
        await eventually("every seed has answered") {
            let error = await failure { () async throws(ClientError) in try await client.waitUntilReady(timeoutMs: 200)
            }
            guard case .unreachable(let detail)? = error else { return false }
            return detail.contains("\(wrongSecret.address) refused this side (wrongSecret)")
                && detail.contains("'production'")
                && detail.contains("cannot connect to \(gone.address)")
        }
        running.cancel()
        _ = try await running.value
        await #expect(throws: ClientError.closed) { try await client.get(Key("a")) }
        await wrongSecret.stop()
        await wrongCluster.stop()
    }

    @Test func requestsOutsideTheLimitsDoNotLeave() async throws {
        let cluster = try await FakeCluster.start(1)
        try await cluster.withClient { client in
            func isInvalid(_ body: () async throws -> Void) async -> Bool {
                do { try await body() } catch ClientError.refused(.invalid, _) { return true } catch {}
                return false
            }
            #expect(await isInvalid { try await client.put(Key(""), [1]) })
            #expect(await isInvalid { _ = try await client.get(Key(Array(repeating: 1, count: 513))) })
            #expect(await isInvalid { try await client.put(Key("a"), Array(repeating: 1, count: (1 << 20) + 1)) })
            #expect(await isInvalid { try await client.put(Key("a"), [1], ttlMs: 10) })
            #expect(await isInvalid { _ = try await client.acquire("l", owner: "o", ttlMs: 1) })
            #expect(
                await isInvalid {
                    _ = try await client.publish("t", [Record(key: nil, value: noise((1 << 20) + 1), timestampMs: 1)])
                })
        }
        #expect(cluster.nodes[0].received.isEmpty)
        await cluster.stop()
    }

    @Test func addressesOfOneNodeShareAConnection() async throws {
        let cluster = try await FakeCluster.start(1)
        let port = try #require(cluster.nodes[0].address.split(separator: ":").last)
        try await cluster.withClient({ $0.seeds = ["localhost:\(port)", "127.0.0.1:\(port)"] }) { client in
            await eventually("both have connected") { client.figure("client_connects_total") >= 2 }
            try await client.put(Key("a"), [1])
            await cluster.nodes[0].stop()
            try await cluster.nodes[0].listen()
            await eventually("it works after a restart") { (try? await client.get(Key("a"))) != nil }
        }
        await cluster.stop()
    }

    @Test func keysAreListedPageByPage() async throws {
        let cluster = try await FakeCluster.start(2)
        try await cluster.withClient { client in
            for index in 0..<25 { try await client.put(Key("page/\(index)"), [UInt8(index)]) }
            try await client.put(Key("other"), [1])
            let first = try await client.scan(prefix: Array("page/".utf8), limit: 10)
            #expect(first.items.count == 10)
            #expect(try await client.scanAll(prefix: "page/").count == 25)
        }
        await cluster.stop()
    }
}
