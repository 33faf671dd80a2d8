import Synchronization
import Testing
import Wire

@testable import StormoClient

/// What a consumer was given, in order.
final class Taken: Sendable {
    private let records = Mutex<[PositionedRecord]>([])

    var all: [PositionedRecord] { records.withLock { $0 } }
    var texts: [String] { all.map { String(decoding: $0.record.value, as: UTF8.self) } }
    func add(_ more: [PositionedRecord]) { records.withLock { $0 += more } }

    /// Whether offsets follow each other without gap or repetition in every partition.
    var isExactlyOnceInOrder: Bool {
        var next: [UInt32: Offset] = [:]
        for record in all {
            guard record.position.offset == next[record.position.partition, default: 0] else { return false }
            next[record.position.partition] = record.position.offset + 1
        }
        return true
    }
}

/// Consumer groups and tails over registers kept by fake nodes.
@Suite struct ConsumerTests {
    func records(_ range: Range<Int>) -> [Record] {
        range.map { Record(key: Array("key \($0)".utf8), value: Array("\($0)".utf8), timestampMs: 1) }
    }

    func register(_ cluster: FakeCluster, _ group: String, _ topic: TopicInfo, _ partition: UInt32) throws
        -> GroupRegister?
    {
        let key = GroupRegister.key(group: group, partition: PartitionID(topic: topic.id, index: partition))
        guard case .value(let bytes)? = cluster.store.state.withLock({ $0.cells[key]?.content }) else { return nil }
        return try GroupRegister(bytes)
    }

    @Test func aLoneMemberReadsEverythingAndGivesItBack() async throws {
        let cluster = try await FakeCluster.start(2)
        let topic = cluster.store.makeTopic("t", partitions: 4)
        try await cluster.withClient { client in
            try await client.publish("t", records(0..<200))
            let taken = Taken()
            let consumer = GroupConsumer(client: client, topic: "t", group: "g/1", logger: quiet)
            let running = Task { try await consumer.run { taken.add($0) } }
            await eventually("everything") { taken.all.count == 200 }
            try await client.publish("t", records(200..<300))
            await eventually("what came later") { taken.all.count == 300 }
            #expect(taken.isExactlyOnceInOrder && Set(taken.texts).count == 300)
            running.cancel()
            try await running.value
            for partition in 0..<4 as Range<UInt32> {
                let register = try #require(try register(cluster, "g/1", topic, partition))
                let log = try cluster.store.records(PartitionID(topic: topic.id, index: partition))
                #expect(
                    register.offset == Offset(log.count) && register.owner.isEmpty && register.token == 1
                        && register.topic == "t")
            }
        }
        await cluster.stop()
    }

    @Test func anotherMemberGoesOnFromTheLastCommit() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 2)
        try await cluster.withClient { client in
            try await client.publish("t", records(0..<50))
            let first = Taken()
            let second = Taken()
            let one = Task {
                try await GroupConsumer(client: client, topic: "t", group: "g", logger: quiet).run { first.add($0) }
            }
            await eventually("the first reads all") { first.all.count == 50 }
            let two = Task {
                try await GroupConsumer(client: client, topic: "t", group: "g", logger: quiet).run { second.add($0) }
            }
            try await client.publish("t", records(50..<80))
            await eventually("the first goes on") { first.all.count == 80 }
            #expect(second.all.isEmpty)
            one.cancel()
            try await one.value
            try await client.publish("t", records(80..<100))
            await eventually("the second takes over") { second.all.count == 20 }
            #expect(Set(first.texts + second.texts).count == 100)
            #expect(try register(cluster, "g", topic, 0)?.token == 2)
            two.cancel()
            try await two.value
        }
        await cluster.stop()
    }

    @Test func aMemberThatVanishedIsReplacedWhenItsLeaseEnds() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 1)
        let id = PartitionID(topic: topic.id, index: 0)
        try await cluster.withClient { client in
            try await client.publish("t", records(0..<10))
            let nowMs = ClientClock.physicalMs()
            let held = GroupRegister(owner: "somebody else", token: 7, leaseEndMs: nowMs + 400, offset: 4, topic: "t")
            try await client.put(GroupRegister.key(group: "g", partition: id), held.encoded)
            let taken = Taken()
            let running = Task {
                try await GroupConsumer(client: client, topic: "t", group: "g", logger: quiet).run { taken.add($0) }
            }
            await eventually("it is taken over") { taken.all.count == 6 }
            #expect(ClientClock.physicalMs() >= nowMs + 400 + ClientLimits.leaseMarginMs)
            #expect(taken.all.first?.position.offset == 4)
            #expect(try register(cluster, "g", topic, 0)?.token == 8)
            running.cancel()
            try await running.value
        }
        await cluster.stop()
    }

    @Test func recordsComeAgainWhenTheHandlerFails() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 1)
        try await cluster.withClient { client in
            try await client.publish("t", records(0..<5))
            let taken = Taken()
            let failures = Mutex(2)
            struct Broken: Error {}
            let running = Task {
                try await GroupConsumer(client: client, topic: "t", group: "g", logger: quiet).run { records in
                    let fails = failures.withLock { left in
                        left -= 1
                        return left >= 0
                    }
                    if fails { throw Broken() }
                    taken.add(records)
                }
            }
            await eventually("the third try succeeds") { taken.all.count == 5 }
            await eventually("and is committed") { try! register(cluster, "g", topic, 0)?.offset == 5 }
            running.cancel()
            try await running.value
        }
        await cluster.stop()
    }

    @Test func aSlowHandlerKeepsItsLease() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 1)
        try await cluster.withClient({ $0.sessionLeaseMs = 3_000 }) { client in
            try await client.publish("t", records(0..<1))
            let taken = Taken()
            let running = Task {
                try await GroupConsumer(client: client, topic: "t", group: "g", logger: quiet).run { records in
                    let first = try #require(try register(cluster, "g", topic, 0))
                    // Until the lease has been renewed twice while this runs.
                    await eventually("renewed") {
                        try! register(cluster, "g", topic, 0)!.leaseEndMs > first.leaseEndMs + 500
                    }
                    taken.add(records)
                }
            }
            await eventually("handled once") { taken.all.count == 1 }
            #expect(try register(cluster, "g", topic, 0)?.token == 1)
            running.cancel()
            try await running.value
        }
        await cluster.stop()
    }

    @Test func aMemberThatLostItsLeaseStops() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 1)
        let id = PartitionID(topic: topic.id, index: 0)
        try await cluster.withClient({ $0.sessionLeaseMs = 1_500 }) { client in
            try await client.publish("t", records(0..<1))
            let isRunning = Mutex(false)
            let isCancelled = Mutex(false)
            let running = Task {
                try await GroupConsumer(client: client, topic: "t", group: "g", logger: quiet).run { _ in
                    isRunning.withLock { $0 = true }
                    do { try await Task.sleep(for: .seconds(60)) } catch {
                        isCancelled.withLock { $0 = true }
                        throw error
                    }
                }
            }
            await eventually("the handler runs") { isRunning.withLock { $0 } }
            #expect(try register(cluster, "g", topic, 0)?.token == 1)
            let thief = GroupRegister(
                owner: "thief", token: 2, leaseEndMs: ClientClock.physicalMs() + 60_000, offset: 0, topic: "t")
            try await client.put(GroupRegister.key(group: "g", partition: id), thief.encoded)
            await eventually("the handler is stopped") { isCancelled.withLock { $0 } }
            #expect(try register(cluster, "g", topic, 0) == thief)
            running.cancel()
            try await running.value
        }
        await cluster.stop()
    }

    @Test func aCommitWhoseAnswerWasLostIsFoundOut() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 1)
        try await cluster.withClient { client in
            try await client.publish("t", records(0..<3))
            let drops = Mutex(0)
            cluster.nodes[0].script { message in
                guard case .writeRequest = message else { return nil }
                return drops.withLock { count in
                    count += 1
                    // The taking goes through; the commit is done and its answer lost.
                    return count == 2 ? .doAndDrop : nil
                }
            }
            let taken = Taken()
            let running = Task {
                try await GroupConsumer(client: client, topic: "t", group: "g", logger: quiet).run { taken.add($0) }
            }
            await eventually("handled") { taken.all.count == 3 }
            await eventually("committed") { try! register(cluster, "g", topic, 0)?.offset == 3 }
            try await client.publish("t", records(3..<6))
            await eventually("and it goes on") { taken.all.count == 6 }
            #expect(taken.isExactlyOnceInOrder)
            #expect(try register(cluster, "g", topic, 0)?.token == 1)
            running.cancel()
            try await running.value
        }
        await cluster.stop()
    }

    @Test func groupsMayStartAtTheEnd() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 1)
        try await cluster.withClient { client in
            try await client.publish("t", records(0..<3))
            let taken = Taken()
            let running = Task {
                try await GroupConsumer(client: client, topic: "t", group: "g", start: .latest, logger: quiet).run {
                    taken.add($0)
                }
            }
            await eventually("the start is kept") { try! register(cluster, "g", topic, 0)?.offset == 3 }
            try await client.publish("t", records(3..<5))
            await eventually("only what came later") { taken.texts == ["3", "4"] }
            running.cancel()
            try await running.value
        }
        await cluster.stop()
    }

    @Test func aTailReadsFromItsPositions() async throws {
        let cluster = try await FakeCluster.start(2)
        let topic = cluster.store.makeTopic("t", partitions: 2)
        try await cluster.withClient { client in
            try await client.publish("t", records(0..<40))
            let inFirst = try cluster.store.records(PartitionID(topic: topic.id, index: 0)).count
            let taken = Taken()
            let next = Mutex<[UInt32: Offset]>([:])
            let tail = TopicTail(client: client, topic: "t", logger: quiet)
            let running = Task {
                try await tail.run(from: [0: 2], start: .latest) { records, position in
                    taken.add(records)
                    next.withLock { $0[position.partition] = position.offset }
                }
            }
            await eventually("the first partition from its position") { taken.all.count == inFirst - 2 }
            #expect(taken.all.first?.position == RecordPosition(partition: 0, offset: 2))
            await eventually("the second partition is read too") {
                _ = try? await client.publish("t", records(40..<60))
                return taken.all.contains { $0.position.partition == 1 }
            }
            #expect(next.withLock { $0[0] } != nil)
            running.cancel()
            try await running.value
        }
        await cluster.stop()
    }

    @Test func aTailEndsWithItsHandlersError() async throws {
        let cluster = try await FakeCluster.start(1)
        cluster.store.makeTopic("t", partitions: 2)
        struct Enough: Error {}
        try await cluster.withClient { client in
            try await client.publish("t", records(0..<5))
            await #expect(throws: Enough.self) {
                try await TopicTail(client: client, topic: "t", logger: quiet).run(start: .earliest) { _, _ in
                    throw Enough()
                }
            }
        }
        await cluster.stop()
    }

    @Test func topicsAreWaitedForAndGapsPassedOver() async throws {
        let cluster = try await FakeCluster.start(1)
        try await cluster.withClient { client in
            let taken = Taken()
            let running = Task {
                try await TopicTail(client: client, topic: "t", logger: quiet).run(from: [0: 0]) { records, _ in
                    taken.add(records)
                }
            }
            await eventually("it asks for the topic") { !cluster.nodes[0].received.isEmpty }
            let topic = cluster.store.makeTopic("t", partitions: 1)
            try await client.publish("t", records(0..<3))
            await eventually("it is read") { taken.all.count == 3 }
            cluster.store.state.withLock { $0.firstOffsets[PartitionID(topic: topic.id, index: 0)] = 6 }
            try await client.publish("t", records(3..<6))
            try await client.publish("t", records(6..<8))
            await eventually("what is left is read") { taken.texts.suffix(2) == ["6", "7"] }
            running.cancel()
            try await running.value
        }
        await cluster.stop()
    }
}

@Suite struct GroupRegisterTests {
    /// Written by hand from the description of the form.
    @Test func theBytesAreFixed() throws {
        let register = GroupRegister(owner: "me", token: 3, leaseEndMs: 0x0102, offset: 9, topic: "t")
        let bytes: [UInt8] =
            [1, 2, 0] + Array("me".utf8) + [3, 0, 0, 0, 0, 0, 0, 0] + [2, 1, 0, 0, 0, 0, 0, 0] + [
                1, 9, 0, 0, 0, 0, 0, 0, 0,
            ] + [1, 0]
            + Array("t".utf8)
        #expect(register.encoded == bytes)
        #expect(try GroupRegister(bytes) == register)
        var unread = register
        unread.offset = nil
        #expect(try GroupRegister(unread.encoded) == unread)
    }

    @Test func otherBytesAreRefused() {
        let bytes = GroupRegister(owner: "me", token: 3, leaseEndMs: 1, offset: nil, topic: "t").encoded
        for count in 0..<bytes.count {
            #expect(throws: WireError.self) { try GroupRegister(Array(bytes.prefix(count))) }
        }
        #expect(throws: WireError.self) { try GroupRegister([2] + bytes.dropFirst()) }
        #expect(throws: WireError.self) { try GroupRegister(bytes + [0]) }
    }

    @Test(arguments: ["g", "a/b", "", "näme"])
    func keysSayTheirGroup(group: String) throws {
        let partition = PartitionID(topic: TopicID(0xabc), index: 12)
        let key = GroupRegister.key(group: group, partition: partition)
        let parsed = try #require(GroupRegister.parse(key))
        #expect(parsed.group == group && parsed.partition == partition && key.isSystem)
        #expect(GroupRegister.parse(Key("group/g/0000000000000abc/1")) == nil)
        #expect(GroupRegister.parse(.system("lock/x")) == nil)
    }
}
