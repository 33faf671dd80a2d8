import Synchronization
import Testing
import Wire

@testable import StormoClient

/// Groups as operators see them, over registers kept by fake nodes.
@Suite struct GroupDirectoryTests {
    private func records(_ count: Int) -> [Record] {
        (0..<count).map { Record(key: Array("key \($0)".utf8), value: Array("\($0)".utf8), timestampMs: 1) }
    }

    /// Writes what a member would have.
    private func put(
        _ client: StormoClient, _ group: String, _ topic: TopicInfo, _ partition: UInt32, owner: String = "",
        leaseMs: UInt64 = 0, offset: Offset?
    ) async throws {
        let register = GroupRegister(
            owner: owner, token: 5, leaseEndMs: leaseMs == 0 ? 0 : ClientClock.physicalMs() + leaseMs, offset: offset,
            topic: topic.name)
        try await client.put(
            GroupRegister.key(group: group, partition: PartitionID(topic: topic.id, index: partition)),
            register.encoded)
    }

    private func register(_ client: StormoClient, _ group: String, _ topic: TopicInfo, _ partition: UInt32) async throws
        -> GroupRegister?
    {
        let key = GroupRegister.key(group: group, partition: PartitionID(topic: topic.id, index: partition))
        return try await client.get(key).map { try GroupRegister($0.value) }
    }

    @Test func groupsAreListedWithTopicsAndMembers() async throws {
        let cluster = try await FakeCluster.start(2)
        let first = cluster.store.makeTopic("a", partitions: 2)
        let second = cluster.store.makeTopic("b", partitions: 1)
        try await cluster.withClient { client in
            #expect(try await client.groups().isEmpty)
            try await put(client, "g", second, 0, owner: "m2", leaseMs: 60_000, offset: nil)
            try await put(client, "g", first, 0, owner: "m1", leaseMs: 60_000, offset: 3)
            // Its lease is over.
            try await put(client, "g", first, 1, owner: "m3", leaseMs: 1, offset: 3)
            try await put(client, "g/with a slash", first, 0, offset: 0)
            // Of a former life of a topic, and one that another version wrote.
            try await put(
                client, "former", TopicInfo(name: "a", id: TopicID(77), configuration: .init(), partitions: []), 0,
                offset: 1)
            try await client.put(
                GroupRegister.key(group: "newer", partition: PartitionID(topic: first.id, index: 0)), [99])
            await eventually("the lease of m3 is over") {
                (try? await client.groups()) == [
                    GroupSummary(name: "g", topics: ["a", "b"], members: ["m1", "m2"]),
                    GroupSummary(name: "g/with a slash", topics: ["a"], members: []),
                ]
            }
            #expect(try await client.group("former") == nil)
            #expect(try await client.group("nobody") == nil)
            #expect(try await client.group("g/with a slash")?.partitions.count == 2)
        }
        await cluster.stop()
    }

    @Test func lagIsToldInRecordsAndTime() async throws {
        let cluster = try await FakeCluster.start(2)
        let topic = cluster.store.makeTopic("t", partitions: 4)
        try await cluster.withClient { client in
            cluster.store.state.withLock { $0.appendedMsAgo = 90_000 }
            try await client.publish("t", records(40))
            let ends = try (0..<4 as Range<UInt32>).map {
                Offset(try cluster.store.records(PartitionID(topic: topic.id, index: $0)).count)
            }
            try #require(ends.allSatisfy { $0 > 2 })
            try await put(client, "g", topic, 0, owner: "m", leaseMs: 60_000, offset: 1)
            try await put(client, "g", topic, 1, offset: ends[1])
            // Before the first commit.
            try await put(client, "g", topic, 2, owner: "m", leaseMs: 60_000, offset: nil)
            let state = try #require(try await client.group("g"))
            #expect(state.members == ["m"] && state.partitions.map(\.partition) == [0, 1, 2, 3])
            #expect(state.partitions.map(\.end) == ends && state.partitions.map(\.committed) == [1, ends[1], nil, nil])
            #expect(state.partitions.map { $0.lag?.records } == [ends[0] - 1, 0, nil, nil])
            let waitMs = try #require(state.partitions[0].lag?.ms)
            #expect((90_000..<150_000).contains(waitMs) && state.lagMs == waitMs, "\(waitMs)")
            #expect(state.partitions[1].lag?.ms == 0 && state.lagRecords == ends[0] - 1)
            #expect(state.partitions.map(\.token) == [5, 5, 5, 0])

            // What retention has taken is not waited for.
            cluster.store.state.withLock { $0.firstOffsets[PartitionID(topic: topic.id, index: 0)] = 2 }
            #expect(try await client.group("g")?.partitions[0].lag?.records == ends[0] - 2)
        }
        await cluster.stop()
    }

    @Test func membersWithoutAPartitionAreToldToo() async throws {
        let cluster = try await FakeCluster.start(1)
        cluster.store.makeTopic("t", partitions: 1)
        try await cluster.withClient { client in
            let running = (0..<2).map { _ in
                Task { try await GroupConsumer(client: client, topic: "t", group: "g", logger: quiet).run { _ in } }
            }
            await eventually("both are members, one of them reads") {
                guard let state = try? await client.group("g") else { return false }
                return state.members.count == 2 && state.partitions.compactMap(\.holder).count == 1
            }
            for task in running {
                task.cancel()
                try await task.value
            }
            #expect(try await client.group("g")?.members == [])
        }
        await cluster.stop()
    }

    @Test func aPartitionWithoutPrimaryIsToldWithoutItsEnd() async throws {
        let cluster = try await FakeCluster.start(2)
        let topic = cluster.store.makeTopic("t", partitions: 2)
        try await cluster.withClient({ $0.operationTimeoutMs = 500 }) { client in
            for partition in 0..<2 as Range<UInt32> { try await put(client, "g", topic, partition, offset: 0) }
            cluster.nodes[1].script { if case .offsetRequest = $0 { .silence } else { nil } }
            let state = try #require(try await client.group("g"))
            #expect(state.partitions.map(\.end) == [0, nil] && state.partitions.map { $0.lag?.records } == [0, nil])
        }
        await cluster.stop()
    }

    @Test(
        arguments: [
            (.earliest, 2), (.latest, 9), (.offset(5), 5), (.offset(0), 2), (.offset(99), 9), (.last(3), 6),
            (.time(1), 0),
        ] as [(OffsetQuery, Offset)])
    func seekGoesToThePlace(_ place: OffsetQuery, _ expected: Offset) async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 1)
        try await cluster.withClient { client in
            try await client.publish("t", records(9))
            cluster.store.state.withLock { $0.firstOffsets[PartitionID(topic: topic.id, index: 0)] = 2 }
            // A group that does not exist yet is made.
            #expect(
                try await client.seek(group: "g", topic: "t", to: place) == [
                    RecordPosition(partition: 0, offset: expected)
                ])
            #expect(
                try await register(client, "g", topic, 0)
                    == GroupRegister(owner: "", token: 1, leaseEndMs: 0, offset: expected, topic: "t"))
        }
        await cluster.stop()
    }

    @Test func aSeekFencesTheHolderAndItGoesOnFromThere() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 1)
        try await cluster.withClient({ $0.sessionLeaseMs = 3_000 }) { client in
            try await client.publish("t", records(5))
            let partition = PartitionID(topic: topic.id, index: 0)
            var lease = try #require(
                try await PartitionLease.take(partition, group: "g", topic: "t", owner: "old", client: client))
            #expect(await lease.commit(4))
            try await client.seek(group: "g", topic: "t", partition: 0, to: .earliest)
            #expect(await !lease.commit(5), "a fenced commit")
            #expect(await !lease.renew())
            await lease.release()
            #expect(try await register(client, "g", topic, 0)?.offset == 0)
            #expect(try await client.deleteGroup("g") == .deleted(partitions: 1))

            // The same to a member that runs.
            let taken = Taken()
            let running = Task {
                try await GroupConsumer(client: client, topic: "t", group: "g", logger: quiet).run { taken.add($0) }
            }
            await eventually("all is read") { taken.all.count == 5 }
            await eventually("and committed") { (try? await client.group("g")?.lagRecords) == 0 }
            try await client.seek(group: "g", topic: "t", to: .offset(3))
            await eventually("the last two come again") { taken.texts == ["0", "1", "2", "3", "4", "3", "4"] }
            running.cancel()
            try await running.value
        }
        await cluster.stop()
    }

    @Test func aSeekInsistsWhileTheHolderCommits() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 1)
        try await cluster.withClient { client in
            try await client.publish("t", records(5))
            try await put(client, "g", topic, 0, owner: "m", leaseMs: 60_000, offset: 3)
            let left = Mutex(3)
            let key = GroupRegister.key(group: "g", partition: PartitionID(topic: topic.id, index: 0))
            cluster.nodes[0].script { message in
                guard case .writeRequest(let request) = message, request.key == key else { return nil }
                let isRefused = left.withLock { left in
                    left -= 1
                    return left >= 0
                }
                guard isRefused else { return nil }
                return .answer(
                    .writeAnswer(WriteAnswer(applied: false, version: nil, expiryMs: nil, current: nil)))
            }
            try await client.seek(group: "g", topic: "t", to: .latest)
            #expect(try await register(client, "g", topic, 0)?.offset == 5)
            // Not without end.
            left.withLock { $0 = .max }
            let error = await failure { () async throws(ClientError) in
                try await client.seek(group: "g", topic: "t", to: .earliest)
            }
            guard case .overloaded? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
        await cluster.stop()
    }

    @Test func aSeekWhoseAnswerWasLostIsSettled() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 1)
        try await cluster.withClient { client in
            try await client.publish("t", records(5))
            let isFirst = Mutex(true)
            cluster.nodes[0].script { message in
                guard case .writeRequest = message else { return nil }
                return isFirst.withLock { isFirst in
                    defer { isFirst = false }
                    return isFirst ? .doAndDrop : nil
                }
            }
            try await client.seek(group: "g", topic: "t", to: .latest)
            let written = try #require(try await register(client, "g", topic, 0))
            #expect(written.offset == 5 && written.token == 1, "once")
        }
        await cluster.stop()
    }

    @Test func whatMakesNoSenseIsRefusedAndChangesNothing() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 2)
        try await cluster.withClient { client in
            let cases: [(group: String, topic: String, partition: UInt32?, code: ErrorCode)] = [
                ("g", "nothing", nil, .unknownTopic), ("g", "t", 2, .partitionOutOfRange), ("", "t", nil, .invalid),
                (String(repeating: "g", count: 256), "t", nil, .invalid),
            ]
            for (group, topic, partition, code) in cases {
                let error = await failure { () async throws(ClientError) in
                    try await client.seek(group: group, topic: topic, partition: partition, to: .earliest)
                }
                guard case .refused(code, _)? = error else {
                    Issue.record("\(group.prefix(9)) \(topic): \(String(describing: error))")
                    continue
                }
            }
            let groups = try await client.groups()
            let made = try await register(client, "g", topic, 0)
            #expect(groups.isEmpty && made == nil)
        }
        await cluster.stop()
    }

    @Test func aGroupInUseIsDeletedByForceOnly() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 2)
        try await cluster.withClient { client in
            #expect(try await client.deleteGroup("g") == .deleted(partitions: 0))
            try await put(client, "g", topic, 0, owner: "m", leaseMs: 60_000, offset: 1)
            try await put(client, "g", topic, 1, offset: 1)
            try await put(client, "g/2", topic, 0, offset: 1)
            #expect(try await client.deleteGroup("g") == .inUse(members: ["m"]))
            #expect(try await register(client, "g", topic, 1) != nil)
            #expect(try await client.deleteGroup("g", isForced: true) == .deleted(partitions: 2))
            #expect(try await client.groups().map(\.name) == ["g/2"])
        }
        await cluster.stop()
    }

    @Test func aDeletionInsistsWhilePositionsChange() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 2)
        try await cluster.withClient { client in
            for partition in 0..<2 as Range<UInt32> { try await put(client, "g", topic, partition, offset: 1) }
            let left = Mutex(3)
            cluster.nodes[0].script { message in
                guard case .writeRequest(let request) = message, case .delete = request.change else { return nil }
                let isRefused = left.withLock { left in
                    left -= 1
                    return left >= 0
                }
                guard isRefused else { return nil }
                return .answer(
                    .writeAnswer(WriteAnswer(applied: false, version: nil, expiryMs: nil, current: nil)))
            }
            #expect(try await client.deleteGroup("g") == .deleted(partitions: 2))
            #expect(try await client.groups().isEmpty)
        }
        await cluster.stop()
    }

    @Test func aTopicTakesThePositionsInItAlong() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 1)
        let other = cluster.store.makeTopic("u", partitions: 1)
        try await cluster.withClient { client in
            try await put(client, "g", topic, 0, offset: 1)
            try await put(client, "g", other, 0, offset: 1)
            try await client.deleteTopic("t")
            #expect(try await register(client, "g", topic, 0) == nil)
            #expect(try await register(client, "g", other, 0)?.offset == 1)
            #expect(try await client.groups() == [GroupSummary(name: "g", topics: ["u"], members: [])])
        }
        await cluster.stop()
    }

    @Test func publishingToATopicThatMustExistMakesNone() async throws {
        let cluster = try await FakeCluster.start(1)
        cluster.store.makeTopic("t", partitions: 1)
        try await cluster.withClient { client in
            let error = await failure { () async throws(ClientError) in
                try await client.publish(toExisting: "typo", records(1))
            }
            guard case .refused(.unknownTopic, _)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            let topics = try await client.topics().map(\.name)
            let offsets = try await client.publish(toExisting: "t", records(1)).map(\.offset)
            #expect(topics == ["t"] && offsets == [0])
        }
        await cluster.stop()
    }
}
