import Logging
import NIOCore
import NIOEmbedded
import StormoClient
import Testing
import Wire

@testable import Gateway

struct ServerSentEventTests {
    /// Parses a stream as the HTML standard says, far enough for what is written here.
    private func events(_ bytes: [UInt8]) -> [(id: String, name: String, data: String)] {
        var events: [(id: String, name: String, data: String)] = []
        var id = ""
        var name = ""
        var data: [String] = []
        for line in String(decoding: bytes, as: UTF8.self).split(
            omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        {
            if line.isEmpty {
                if !data.isEmpty { events.append((id, name, data.joined(separator: "\n"))) }
                name = ""
                data = []
            } else if let colon = line.firstIndex(of: ":"), colon != line.startIndex {
                var value = line[line.index(after: colon)...]
                if value.first == " " { value = value.dropFirst() }
                switch line[..<colon] {
                case "id": id = String(value)
                case "event": name = String(value)
                case "data": data.append(String(value))
                default: break
                }
            }
        }
        return events
    }

    @Test func whatIsWrittenReadsBack() throws {
        let documents = ["{\"a\":1}", "{\n \"a\" :\r\n [1,\r2]\n}", "\"line\\nbreak: x\"", "1"]
        var bytes = ServerSentEvent.opening(id: "p0", retryMs: 2_000) + ServerSentEvent.comment
        for (index, document) in documents.enumerated() {
            ServerSentEvent.append(id: "p\(index + 1)", name: "drone", json: Array(document.utf8), to: &bytes)
        }
        let events = events(bytes)
        #expect(events.map(\.id) == ["p1", "p2", "p3", "p4"])
        #expect(events.allSatisfy { $0.name == "drone" })
        for (event, document) in zip(events, documents) {
            #expect(try JSONValue(parsing: Array(event.data.utf8)) == JSONValue(parsing: Array(document.utf8)))
        }
    }

    @Test func positionsReadBack() throws {
        let position = StreamPosition(life: 0xDEAD_BEEF, offsets: [[12, 0, .max], [], [7]])
        #expect(StreamPosition(position.text, topics: 3) == position)
        #expect(StreamPosition(position.text, topics: 2) == nil)
        #expect(position.text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F })
        for bad in ["", "x", "1-2-", "1--zz!-", "1-1..2--", "-1-1-1"] {
            #expect(StreamPosition(bad, topics: 3) == nil, "\(bad)")
        }
    }

    @Test func distances() {
        let early = StreamPosition(life: 1, offsets: [[1, 5], [0]])
        let late = StreamPosition(life: 1, offsets: [[4, 5, 2], [1]])
        #expect(early.distance(to: late) == 6)
        #expect(late.distance(to: early) == 0)
        #expect(!early.isLevel(with: late))
        #expect(late.isLevel(with: late))
    }
}

struct StreamClientTests {
    @Test func givesAllThatWaitsInOrder() async {
        let client = StreamClient(eventsMax: 10, bytesMax: 100)
        #expect(client.offer(ByteBuffer(string: "a"), events: 1))
        #expect(client.offer(ByteBuffer(string: "b"), events: 1))
        guard case .text(let buffers) = await client.next() else {
            Issue.record("no text")
            return
        }
        #expect(buffers.map { String(buffer: $0) } == ["a", "b"])
        client.end()
        guard case .end = await client.next() else {
            Issue.record("no end")
            return
        }
    }

    @Test func wakesWhoWaits() async {
        let client = StreamClient(eventsMax: 10, bytesMax: 100)
        async let delivery = client.next()
        #expect(client.offer(ByteBuffer(string: "a"), events: 1))
        guard case .text = await delivery else {
            Issue.record("no text")
            return
        }
    }

    @Test func aClientThatDoesNotReadIsAtItsEnd() async {
        for (events, bytes) in [(3, 1_000), (1_000, 3)] {
            let client = StreamClient(eventsMax: events, bytesMax: bytes)
            for _ in 0..<3 { #expect(client.offer(ByteBuffer(string: "a"), events: 1)) }
            #expect(!client.offer(ByteBuffer(string: "a"), events: 1))
            guard case .end = await client.next() else {
                Issue.record("no end")
                return
            }
        }
    }
}

struct StreamFeedTests {
    private let source = StreamSource(topic: "t", event: "e") { FleetEventID.of($0) }

    private func feed() -> StreamFeed {
        let configuration = ClientConfiguration(seeds: [], clusterName: "c", secret: [], role: .gateway, name: "g")
        return StreamFeed(
            name: "test", sources: [source],
            client: StormoClient(configuration: configuration, logger: Logger(label: "test")),
            limits: GatewayLimits(), metrics: GatewayMetrics(), logger: Logger(label: "test"))
    }

    private func publish(_ feed: StreamFeed, _ partition: UInt32, _ offsets: Range<UInt64>, id: String? = nil) {
        let records = offsets.map { offset in
            PositionedRecord(
                position: RecordPosition(partition: partition, offset: offset),
                record: Record(
                    key: nil, value: Array("{\"p\":\(partition),\"o\":\(offset)}".utf8),
                    headers: id.map { [Record.Header(name: "event-id", value: Array($0.utf8))] } ?? [], timestampMs: 0))
        }
        feed.publish(0, source, records, RecordPosition(partition: partition, offset: offsets.upperBound))
    }

    private func text(_ client: StreamClient) async -> String {
        client.end()
        var text = ""
        while true {
            switch await client.next() {
            case .text(let buffers): text += buffers.map { String(buffer: $0) }.joined()
            case .batches(let batches): text += batches.map { "[\($0.partition):\($0.records.map(\.offset))]" }.joined()
            case .end: return text
            }
        }
    }

    @Test func everybodyAtThePresentSharesTheText() async throws {
        let feed = feed()
        feed.begin(at: StreamPosition(life: 1, offsets: [[10, 20]]))
        let channel = EmbeddedChannel()
        let first = try await feed.join(lastEventID: nil, channel: channel)
        let second = try await feed.join(lastEventID: nil, channel: channel)
        #expect(first.missedUntil == nil)
        publish(feed, 0, 10..<12)
        publish(feed, 1, 20..<21)
        let expected = [
            ("a", "b.k", "{\"p\":0,\"o\":10}"), ("", "c.k", "{\"p\":0,\"o\":11}"), ("", "c.l", "{\"p\":1,\"o\":20}"),
        ]
        .map { "id: 1-\($0.1)\nevent: e\ndata: \($0.2)\n\n" }.joined()
        #expect(await text(first.client) == expected)
        #expect(await text(second.client) == expected)
    }

    @Test func whoResumesBehindGetsRecordsUntilItIsLevel() async throws {
        let feed = feed()
        feed.begin(at: StreamPosition(life: 1, offsets: [[10, 20]]))
        let late = try await feed.join(lastEventID: "1-8.k", channel: EmbeddedChannel())
        #expect(late.position == StreamPosition(life: 1, offsets: [[8, 20]]))
        #expect(late.missedUntil == StreamPosition(life: 1, offsets: [[10, 20]]))
        #expect(!late.isReset)
        publish(feed, 0, 10..<12)
        // What it read itself ends where the feed stood; the rest waits for it as records.
        #expect(!feed.level(late.number, at: StreamPosition(life: 1, offsets: [[10, 20]])))
        #expect(feed.level(late.number, at: StreamPosition(life: 1, offsets: [[12, 20]])))
        publish(feed, 0, 12..<13)
        let told = await text(late.client)
        #expect(told.contains("[0:[10, 11]]"))
        #expect(told.contains("data: {\"p\":0,\"o\":12}"))
    }

    @Test func whoComesFromAGatewayThatIsAheadHearsNothingTwice() async throws {
        let feed = feed()
        feed.begin(at: StreamPosition(life: 1, offsets: [[10, 20]]))
        let ahead = try await feed.join(lastEventID: "1-c.k", channel: EmbeddedChannel())
        #expect(ahead.position == StreamPosition(life: 1, offsets: [[12, 20]]))
        #expect(!feed.level(ahead.number, at: ahead.position))
        publish(feed, 0, 10..<12)
        #expect(feed.level(ahead.number, at: ahead.position))
    }

    @Test(arguments: ["2-a.k", "nonsense", "1-0.0"])
    func positionsThatCannotBeResumedAreReset(id: String) async throws {
        let feed = feed()
        feed.begin(at: StreamPosition(life: 1, offsets: [[1_000_000, 20]]))
        let client = try await feed.join(lastEventID: id, channel: EmbeddedChannel())
        #expect(client.isReset)
        #expect(client.position == StreamPosition(life: 1, offsets: [[1_000_000, 20]]))
    }

    @Test func aSecondCopyOfAnEventIsNotTold() async throws {
        let feed = feed()
        feed.begin(at: StreamPosition(life: 1, offsets: [[0]]))
        let client = try await feed.join(lastEventID: nil, channel: EmbeddedChannel())
        publish(feed, 0, 0..<1, id: "d:1")
        publish(feed, 0, 1..<2, id: "d:1")
        publish(feed, 0, 2..<3, id: "d:2")
        let told = await text(client.client)
        #expect(told.contains("\"o\":0"))
        #expect(!told.contains("\"o\":1"))
        #expect(told.contains("\"o\":2"))
    }

    @Test func aClosedFeedTakesNobody() async throws {
        let feed = feed()
        feed.begin(at: StreamPosition(life: 1, offsets: [[0]]))
        let client = try await feed.join(lastEventID: nil, channel: EmbeddedChannel())
        feed.close()
        guard case .end = await client.client.next() else {
            Issue.record("no end")
            return
        }
        await #expect(throws: Problem.self) { try await feed.join(lastEventID: nil, channel: EmbeddedChannel()) }
    }
}

private enum FleetEventID {
    static func of(_ record: Record) -> String? {
        record.headers.first { $0.name == "event-id" }.map { String(decoding: $0.value, as: UTF8.self) }
    }
}
