import Fleet
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import StormoClient
import Wire

extension StreamFeed {
    /// How long a browser waits before it connects again, in ms.
    private static let retryMs = 2_000

    /// Answers a request with this feed's events.
    func response(to call: Call) async throws(Problem) -> Response {
        let membership = try await join(
            lastEventID: call.header(.lastEventID) ?? call.query["last_event_id"], channel: call.channel)
        let body = ResponseBody { [self] writer in
            defer { leave(membership.number) }
            do {
                try await call.request.body.consumeWithInboundCloseHandler { _ in
                    try await tell(membership, to: &writer)
                } onInboundClosed: {
                    membership.client.end()
                }
            } catch {
                call.logger.debug("a stream's client has gone", metadata: ["stream": "\(name)", "error": "\(error)"])
                throw error
            }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream", .cacheControl: "no-store", .accelBuffering: "no"],
            body: body)
    }

    private func tell(_ membership: Membership, to writer: inout any ResponseBodyWriter) async throws {
        var position = membership.position
        var opening = ServerSentEvent.opening(id: position.text, retryMs: Self.retryMs)
        if membership.isReset {
            ServerSentEvent.append(id: position.text, name: "reset", json: Array("{}".utf8), to: &opening)
        }
        try await writer.write(ByteBuffer(bytes: opening))
        var isLevel = membership.missedUntil == nil
        if let until = membership.missedUntil {
            try await tellMissed(from: &position, until: until, to: &writer)
            isLevel = level(membership.number, at: position)
        }
        while true {
            switch await membership.client.next() {
            case .end: return
            case .text(let buffers): try await writer.write(contentsOf: buffers)
            case .batches(let batches):
                var text: [UInt8] = []
                for batch in batches { append(batch, from: &position, to: &text) }
                if !text.isEmpty { try await writer.write(ByteBuffer(bytes: text)) }
            }
            if !isLevel { isLevel = level(membership.number, at: position) }
        }
    }

    /// Reads and tells the records between two positions.
    private func tellMissed(
        from position: inout StreamPosition, until: StreamPosition, to writer: inout any ResponseBodyWriter
    ) async throws {
        for (topic, source) in sources.enumerated() {
            for partition in 0..<UInt32(until.offsets[topic].count) {
                let end = until[topic, partition]
                while position[topic, partition] < end {
                    let fetched: FetchedRecords
                    do throws(ClientError) {
                        fetched = try await client.fetch(
                            source.topic, partition: partition, offset: position[topic, partition])
                    } catch {
                        guard case .refused(.offsetOutOfRange, _) = error else { throw error }
                        try await tellReset(&position, until, to: &writer)
                        return
                    }
                    // Nothing more below the end: records that are gone by compaction.
                    guard fetched.nextOffset > position[topic, partition] else {
                        position[topic, partition] = end
                        break
                    }
                    let records = fetched.records.filter { $0.position.offset < end }.compactMap {
                        source.told(.init(offset: $0.position.offset, value: $0.record.value))
                    }
                    let batch = StreamBatch(
                        topic: topic, partition: partition, records: records, next: min(end, fetched.nextOffset))
                    var text: [UInt8] = []
                    append(batch, from: &position, to: &text)
                    if !text.isEmpty { try await writer.write(ByteBuffer(bytes: text)) }
                }
            }
        }
    }

    /// Says that what was missed is no longer there: the client has to read the present state anew.
    private func tellReset(
        _ position: inout StreamPosition, _ until: StreamPosition, to writer: inout any ResponseBodyWriter
    ) async throws {
        position = until
        metrics.count(.streamResets)
        var text: [UInt8] = []
        ServerSentEvent.append(id: position.text, name: "reset", json: Array("{}".utf8), to: &text)
        try await writer.write(ByteBuffer(bytes: text))
    }

    /// Tells the records of a batch that lie behind a client's own position.
    private func append(_ batch: StreamBatch, from position: inout StreamPosition, to text: inout [UInt8]) {
        for record in batch.records where record.offset >= position[batch.topic, batch.partition] {
            position[batch.topic, batch.partition] = record.offset + 1
            ServerSentEvent.append(id: position.text, name: record.name, json: record.json, to: &text)
        }
        position[batch.topic, batch.partition] = max(batch.next, position[batch.topic, batch.partition])
    }
}
