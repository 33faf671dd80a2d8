import Synchronization
import Testing
import Wire

@testable import StormoClient

/// Records that nobody can handle, and groups of several members.
@Suite struct DeadLetterTests {
    private func records(_ range: Range<Int>) -> [Record] {
        range.map {
            Record(
                key: Array("key \($0)".utf8), value: Array("\($0)".utf8), headers: [.init(name: "h", value: [7])],
                timestampMs: 1)
        }
    }

    private struct Poison: Error, CustomStringConvertible { let description = "cannot be handled" }

    @Test func whatCannotBeHandledIsPutAside() async throws {
        let cluster = try await FakeCluster.start(1)
        cluster.store.makeTopic("t", partitions: 2)
        try await cluster.withClient { client in
            try await client.publish("t", records(0..<20))
            let taken = Taken()
            let attempts = Mutex(0)
            let consumer = GroupConsumer(
                client: client, topic: "t", group: "g", deadLetters: DeadLetterPolicy(topic: "dead", attemptsMax: 2),
                logger: quiet)
            let running = Task {
                try await consumer.run { records in
                    if records.contains(where: { $0.record.value == Array("13".utf8) }) {
                        if records.count == 1 { attempts.withLock { $0 += 1 } }
                        throw Poison()
                    }
                    taken.add(records)
                }
            }
            await eventually("all others are handled") { taken.all.count == 19 }
            running.cancel()
            try await running.value
            #expect(attempts.withLock { $0 } == 2)
            let info = try #require(try await client.topic("dead"))
            var dead: [Record] = []
            for partition in 0..<UInt32(info.partitions.count) {
                dead += try await client.fetch("dead", partition: partition, offset: 0).records.map(\.record)
            }
            let record = try #require(dead.first)
            let letter = try #require(DeadLetter(record))
            #expect(dead.count == 1 && record.key == Array("key 13".utf8) && record.value == Array("13".utf8))
            #expect(letter.topic == "t" && letter.group == "g" && letter.attempts == 2)
            #expect(letter.reason == "cannot be handled")
            #expect(DeadLetter.original(of: record) == records(13..<14).first)

            // Once it can be handled it is published again, and only once.
            let first = try await client.replayDeadLetters("dead")
            #expect(first.replayed == 1 && first.passedOver == 0 && first.busyPartitions.isEmpty)
            let second = try await client.replayDeadLetters("dead")
            #expect(second.replayed == 0)
            let again = Taken()
            let more = Task {
                try await GroupConsumer(client: client, topic: "t", group: "g", logger: quiet).run { again.add($0) }
            }
            await eventually("the letter comes back") { again.texts == ["13"] }
            #expect(again.all.first?.record == records(13..<14).first)
            more.cancel()
            try await more.value
        }
        await cluster.stop()
    }

    @Test func aLetterFitsWhateverItsOriginIs() throws {
        let headers = (0..<64).map { Record.Header(name: "h\($0)", value: []) }
        let original = Record(key: [1], value: [2], headers: headers, timestampMs: 3)
        let letter = DeadLetter(
            topic: "t", position: RecordPosition(partition: 1, offset: 2), group: "g", attempts: 3,
            reason: String(repeating: "è", count: 10_000))
        let record = letter.record(of: original)
        #expect(record.headers.count == 64 && record.encodedCount <= WireLimits.recordBytesMax)
        let again = try #require(DeadLetter(record))
        #expect(again.position == letter.position && again.reason.utf8.count <= 1_030)
        #expect(DeadLetter.original(of: record).headers == Array(headers.prefix(58)))
        #expect(DeadLetter(original) == nil)
    }

    /// A second member gets half of the partitions while the first goes on with the others; when it leaves, they return.
    @Test func membersShareThePartitions() async throws {
        let cluster = try await FakeCluster.start(1)
        let topic = cluster.store.makeTopic("t", partitions: 4)
        func owned() -> [String: Int] {
            var counts: [String: Int] = [:]
            for index in 0..<4 as Range<UInt32> {
                let key = GroupRegister.key(group: "g", partition: PartitionID(topic: topic.id, index: index))
                guard case .value(let bytes)? = cluster.store.state.withLock({ $0.cells[key]?.content }),
                    let register = try? GroupRegister(bytes), !register.owner.isEmpty
                else { continue }
                counts[register.owner, default: 0] += 1
            }
            return counts
        }
        try await cluster.withClient { client in
            let first = Taken()
            let second = Taken()
            let one = Task {
                try await GroupConsumer(client: client, topic: "t", group: "g", logger: quiet).run { first.add($0) }
            }
            await eventually("the first has all") { owned().values.sorted() == [4] }
            let two = Task {
                try await GroupConsumer(client: client, topic: "t", group: "g", logger: quiet).run { second.add($0) }
            }
            await eventually("both have two") { owned().values.sorted() == [2, 2] }
            try await client.publish("t", records(0..<100))
            await eventually("all is read") { first.all.count + second.all.count == 100 }
            #expect(!first.all.isEmpty && !second.all.isEmpty)
            two.cancel()
            try await two.value
            await eventually("the first has all again") { owned().values.sorted() == [4] }
            one.cancel()
            try await one.value
            #expect(Set(first.texts + second.texts).count == 100)
        }
        await cluster.stop()
    }
}
