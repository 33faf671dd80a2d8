import Synchronization
import Testing
import Wire

@testable import StormoClient

/// Publishing and fetching against nodes that do as they are told.
@Suite struct TopicTests {
    func record(_ text: String, key: String? = nil) -> Record {
        Record(key: key.map { Array($0.utf8) }, value: Array(text.utf8), timestampMs: 1)
    }

    func text(_ record: Record) -> String { String(decoding: record.value, as: UTF8.self) }

    @Test func aTopicIsMadeOnFirstUse() async throws {
        let cluster = try await FakeCluster.start(3)
        try await cluster.withClient { client in
            #expect(try await client.topic("t") == nil)
            let positions = try await client.publish(
                "t", [record("a", key: "k"), record("b", key: "k"), record("c", key: "k")])
            let partition = UInt32(XXH64.hash(Array("k".utf8)) % 8)
            #expect(positions == (0..<3).map { RecordPosition(partition: partition, offset: $0) })
            let topic = try #require(try await client.topic("t"))
            #expect(topic.partitions.count == 8)
            // Each primary tells of its own partitions.
            #expect(topic.partitions[Int(partition)].highWatermark == 3)
            #expect(try await client.topics().map(\.name) == ["t"])
            #expect(try await client.topic("u", creating: TopicConfiguration(partitions: 2))?.partitions.count == 2)
            try await client.deleteTopic("u")
            try await client.deleteTopic("u")
            #expect(try await client.topics().map(\.name) == ["t"])
        }
        await cluster.stop()
    }

    @Test func concurrentPublishesShareBatchesAndKeepTheirPlaces() async throws {
        let cluster = try await FakeCluster.start(2)
        let topic = cluster.store.makeTopic("t", partitions: 4)
        let count = 500
        try await cluster.withClient { client in
            let places = try await withThrowingTaskGroup(of: (Int, RecordPosition?).self) { group in
                for index in 0..<count {
                    group.addTask {
                        (index, try await client.publish("t", [record("\(index)", key: "key \(index % 10)")]).first)
                    }
                }
                var places: [Int: RecordPosition] = [:]
                for try await (index, place) in group { places[index] = place }
                return places
            }
            #expect(Set(places.values).count == count)
            var logs: [UInt32: [Record]] = [:]
            for partition in 0..<4 as Range<UInt32> {
                logs[partition] = try cluster.store.records(PartitionID(topic: topic.id, index: partition))
            }
            for (index, place) in places {
                let there = try #require(logs[place.partition]?[Int(place.offset)])
                #expect(text(there) == "\(index)")
                #expect(place.partition == UInt32(XXH64.hash(there.key ?? []) % 4))
            }
            #expect(client.figure("client_records_published_total") == count)
            #expect(client.figure("client_batches_total") < count / 4)
        }
        await cluster.stop()
    }

    @Test func recordsWithoutAKeyAreSpread() async throws {
        let cluster = try await FakeCluster.start(1)
        cluster.store.makeTopic("t", partitions: 4)
        try await cluster.withClient { client in
            var partitions: [UInt32] = []
            for index in 0..<8 { partitions += try await client.publish("t", [record("\(index)")]).map(\.partition) }
            #expect(partitions == [0, 1, 2, 3, 0, 1, 2, 3])
        }
        await cluster.stop()
    }

    @Test func largePublishesAreSplitIntoBatches() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 1)
        try await cluster.withClient { client in
            let records = (0..<12).map { Record(key: [1], value: noise(300_000) + [UInt8($0)], timestampMs: 1) }
            let positions = try await client.publish("t", records)
            #expect(positions.map(\.offset) == Array(0..<12))
            let batches = cluster.store.state.withLock { $0.logs[PartitionID(topic: topic.id, index: 0)] ?? [] }
            #expect(batches.count == 4 && batches.allSatisfy { $0.rawCount <= 1 << 20 })
        }
        await cluster.stop()
    }

    @Test func aPublishWhoseAnswerIsLostIsSentAgainAndKeptOnce() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 1)
        let losses = Mutex(2)
        cluster.nodes[0].script { message in
            guard case .produce = message,
                losses.withLock({ left in
                    left -= 1
                    return left >= 0
                })
            else { return nil }
            return .doAndDrop
        }
        try await cluster.withClient { client in
            let first = try await client.publish("t", [record("a")])
            let second = try await client.publish("t", [record("b")])
            #expect(first + second == (0..<2).map { RecordPosition(partition: 0, offset: $0) })
            #expect(client.figure("client_publish_retries_total") == 2)
        }
        #expect(try cluster.store.records(PartitionID(topic: topic.id, index: 0)).count == 2)
        await cluster.stop()
    }

    @Test func aPublishThatIsNeverAnsweredIsOfUnknownOutcome() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 1)
        let isLost = Mutex(true)
        cluster.nodes[0].script { message in
            if case .produce = message, isLost.withLock({ $0 }) { .doAndDrop } else { nil }
        }
        try await cluster.withClient({ $0.publishTimeoutMs = 500 }) { client in
            let error = await failure { () async throws(ClientError) in try await client.publish("t", [record("a")]) }
            guard case .outcomeUnknown? = error else { return #expect(Bool(false), "\(String(describing: error))") }
            // What comes next is another producer's: nothing of it depends on what became of the first.
            isLost.withLock { $0 = false }
            let positions = try await client.publish("t", [record("b")])
            #expect(positions.first?.offset == 1)
        }
        #expect(try cluster.store.records(PartitionID(topic: topic.id, index: 0)).count == 2)
        await cluster.stop()
    }

    @Test func aProducerThatTheLogHasForgottenBeginsAnew() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 1)
        try await cluster.withClient { client in
            try await client.publish("t", [record("a")])
            cluster.store.state.withLock { $0.producers = [:] }
            #expect(try await client.publish("t", [record("b")]).first?.offset == 1)
        }
        let batches = cluster.store.state.withLock { $0.logs[PartitionID(topic: topic.id, index: 0)] ?? [] }
        #expect(Set(batches.map(\.producerID)).count == 2 && batches.allSatisfy { $0.sequence == 0 })
        await cluster.stop()
    }

    @Test(arguments: [ErrorCode.notReady, .notPrimary, .overloaded, .draining])
    func aPublishThatWasNotTakenIsTriedAgain(code: ErrorCode) async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 1)
        let refusals = Mutex(3)
        cluster.nodes[0].script { [node = cluster.nodes[0]] message in
            guard case .produce = message,
                refusals.withLock({ left in
                    left -= 1
                    return left >= 0
                })
            else { return nil }
            return .answer(node.refusal(code))
        }
        try await cluster.withClient { client in
            let positions = try await client.publish("t", [record("a")])
            #expect(positions == [RecordPosition(partition: 0, offset: 0)])
        }
        #expect(try cluster.store.records(PartitionID(topic: topic.id, index: 0)).count == 1)
        await cluster.stop()
    }

    @Test func aNewPrimaryIsFound() async throws {
        let cluster = try await FakeCluster.start(2)
        cluster.store.makeTopic("t", partitions: 1)
        try await cluster.withClient { client in
            try await client.publish("t", [record("a")])
            cluster.store.state.withLock { $0.topics["t"]?.partitions[0].primary = NodeID(2) }
            #expect(try await client.publish("t", [record("b")]).first?.offset == 1)
            // The old one is gone altogether.
            cluster.store.state.withLock { $0.topics["t"]?.partitions[0].primary = NodeID(1) }
            await cluster.nodes[1].stop()
            // A publish into the closing connection may end with an unknown outcome; the node is gone, so it was not done.
            await eventually("the loss is known") {
                (try? await client.publish("t", [record("c")]))?.first?.offset == 2
            }
            #expect(
                try await client.fetch("t", partition: 0, offset: 0).records.map { text($0.record) } == ["a", "b", "c"])
        }
        await cluster.stop()
    }

    @Test func partitionsWithoutPrimariesAreAskedForOftenAndTogether() async throws {
        let cluster = try await FakeCluster.start(1)
        cluster.store.makeTopic("t", partitions: 64)
        // A node that nobody reaches.
        cluster.store.state.withLock { state in
            for index in 0..<64 { state.topics["t"]?.partitions[index].primary = NodeID(9) }
        }
        try await cluster.withClient({ $0.operationTimeoutMs = 2_000 }) { client in
            let start = ContinuousClock.now
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<256 {
                    let mine = Record(key: Array("\(number)".utf8), value: [], timestampMs: 1)
                    group.addTask {
                        let told = await failure { () async throws(ClientError) in try await client.publish("t", [mine])
                        }
                        guard case .unreachable? = told else {
                            return #expect(Bool(false), "\(String(describing: told))")
                        }
                    }
                }
            }
            let (seconds, attoseconds) = (ContinuousClock.now - start).components
            let tookMs = Int64(seconds) * 1_000 + attoseconds / 1_000_000_000_000_000
            let questions = cluster.nodes[0].received.count { if case .describeTopics = $0 { true } else { false } }
            // Whoever slept longer and longer would have asked 13 times at most in two seconds, and each of 64 for itself.
            #expect(
                questions >= 15 && questions <= tookMs / ClientLimits.topicNewsMs + 2, "\(questions) in \(tookMs) ms")
        }
        await cluster.stop()
    }

    @Test func publishesBelowTheInSyncMinimumAreTold() async throws {
        let cluster = try await FakeCluster.start(1)
        cluster.store.makeTopic("t", partitions: 1)
        cluster.nodes[0].script { [node = cluster.nodes[0]] message in
            if case .produce = message { .answer(node.refusal(.noQuorum)) } else { nil }
        }
        try await cluster.withClient { client in
            #expect(
                await failure { () async throws(ClientError) in try await client.publish("t", [record("a")]) }
                    == .noQuorum("noQuorum by n1"))
        }
        await cluster.stop()
    }

    @Test func fetchesBeginAtTheOffsetAskedFor() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 1)
        try await cluster.withClient { client in
            try await client.publish("t", (0..<10).map { record("\($0)") })
            try await client.publish("t", (10..<15).map { record("\($0)") })
            let found = try await client.fetch("t", partition: 0, offset: 7)
            #expect(found.records.map { text($0.record) } == (7..<15).map { "\($0)" })
            #expect(found.records.map(\.position.offset) == Array(7..<15))
            #expect(found.nextOffset == 15 && found.highWatermark == 15 && found.firstOffset == 0)
            let end = try await client.fetch("t", partition: 0, offset: .max)
            #expect(end.records.isEmpty && end.nextOffset == 15)
            let empty = try await client.fetch("t", partition: 0, offset: 15, waitMs: 10)
            #expect(empty.records.isEmpty && empty.nextOffset == 15)
            let beyond = await failure { () async throws(ClientError) in
                try await client.fetch("t", partition: 1, offset: 0)
            }
            guard case .refused(.partitionOutOfRange, _)? = beyond else { return #expect(Bool(false)) }
            let unknown = await failure { () async throws(ClientError) in
                try await client.fetch("u", partition: 0, offset: 0)
            }
            guard case .refused(.unknownTopic, _)? = unknown else { return #expect(Bool(false)) }
            cluster.store.state.withLock { $0.firstOffsets[PartitionID(topic: topic.id, index: 0)] = 5 }
            let gone = await failure { () async throws(ClientError) in
                try await client.fetch("t", partition: 0, offset: 0)
            }
            guard case .refused(.offsetOutOfRange, _)? = gone else { return #expect(Bool(false)) }
        }
        await cluster.stop()
    }

    @Test func recordsThatUnpackToMuchMoreComeInSeveralFetches() async throws {
        let cluster = try await FakeCluster.start(1)
        cluster.store.makeTopic("t", partitions: 1)
        let text = Array(repeating: UInt8(ascii: "x"), count: 256 << 10)
        try await cluster.withClient { client in
            for _ in 0..<32 { try await client.publish("t", [Record(key: nil, value: text, timestampMs: 1)]) }
            let bytesMax = 128 << 10
            var (offset, fetches, most): (Offset, Int, Int) = (0, 0, 0)
            while offset < 32, fetches < 100 {
                let found = try await client.fetch("t", partition: 0, offset: offset, bytesMax: bytesMax)
                #expect(found.records.first?.position.offset == offset)
                most = max(most, found.records.reduce(0) { $0 + $1.record.value.count })
                (offset, fetches) = (found.nextOffset, fetches + 1)
            }
            #expect(offset == 32 && fetches > 1)
            #expect(most <= bytesMax * ClientLimits.unpackedPerPacked && most > text.count, "\(most) bytes at once")
            // A batch that is more than that comes alone.
            let alone = try await client.fetch("t", partition: 0, offset: 3, bytesMax: 1)
            #expect(alone.records.map(\.position.offset) == [3])
        }
        await cluster.stop()
    }

    @Test func aWaitingFetchGetsWhatComes() async throws {
        let cluster = try await FakeCluster.start(1)
        cluster.store.makeTopic("t", partitions: 1)
        try await cluster.withClient { client in
            async let found = client.fetch("t", partition: 0, offset: 0, waitMs: 20_000)
            await eventually("the fetch waits") {
                cluster.nodes[0].received.contains { if case .fetch = $0 { true } else { false } }
            }
            try await client.publish("t", [record("late")])
            #expect(try await found.records.map { text($0.record) } == ["late"])
            // A cancelled task does not wait for the end of its fetch.
            let waiting = Task { try await client.fetch("t", partition: 0, offset: 1, waitMs: 30_000) }
            await eventually("the second waits") {
                cluster.nodes[0].received.count(where: { if case .fetch = $0 { true } else { false } }) == 2
            }
            waiting.cancel()
            await #expect(throws: ClientError.closed) { try await waiting.value }
        }
        await cluster.stop()
    }

    @Test func aDamagedBatchIsRefused() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 1)
        try await cluster.withClient { client in
            try await client.publish("t", [record("a")])
            try cluster.store.state.withLock { state in
                let id = PartitionID(topic: topic.id, index: 0)
                var writer = ByteWriter()
                try #require(state.logs[id]?.first).encode(into: &writer)
                var bytes = writer.bytes
                bytes[bytes.count - 1] ^= 1
                let damaged = try bytes.withUnsafeBytes { bytes in
                    var reader = ByteReader(bytes)
                    return try RecordBatch(from: &reader)
                }
                state.logs[id] = [damaged]
            }
            let error = await failure { () async throws(ClientError) in
                try await client.fetch("t", partition: 0, offset: 0)
            }
            guard case .refused(.corruptBatch, _)? = error else {
                return #expect(Bool(false), "\(String(describing: error))")
            }
        }
        await cluster.stop()
    }

    @Test func answersOfAFormerPrimaryAreDropped() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 1)
        let id = PartitionID(topic: topic.id, index: 0)
        try await cluster.withClient { client in
            try await client.publish("t", [record("a")])
            cluster.store.state.withLock { $0.epochs[id] = 5 }
            #expect(try await client.fetch("t", partition: 0, offset: 0).records.count == 1)
            cluster.store.state.withLock { $0.epochs[id] = 4 }
            async let found = client.fetch("t", partition: 0, offset: 0)
            await eventually("answers of the past are dropped") { client.figure("client_stale_fetches_total") >= 2 }
            cluster.store.state.withLock { $0.epochs[id] = 6 }
            #expect(try await found.records.count == 1)
        }
        await cluster.stop()
    }
}
