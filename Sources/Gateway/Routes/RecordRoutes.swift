import Fleet
import HTTPTypes
import Hummingbird
import StormoClient
import Wire

/// Records of the table *Topics*: published, read and followed.
struct RecordRoutes {
    let services: GatewayServices

    var routes: [Route] {
        [
            Route(.post, "/topics/{topic}/records", .client, body: .json, publish),
            Route(.get, "/topics/{topic}/records", .client, read),
            Route(.get, "/topics/{topic}/stream", .client, isStream: true, stream),
        ]
    }

    private var limits: GatewayLimits { services.configuration.limits }

    private func publish(_ call: Call) async throws -> Response {
        let topic = try TopicRoutes.name(call)
        let records = try RecordDocument.records(of: call.body, nowMs: UInt64(max(0, WallClock.nowMs())))
        let positions = try await services.client.publish(toExisting: topic, records)
        return Response.object(capacity: 32 + positions.count * 40) {
            $0.positions("offsets", positions)
        }
    }

    // MARK: Reading

    private func read(_ call: Call) async throws -> Response {
        let topic = try TopicRoutes.name(call)
        guard let partition = try call.query.integer("partition", in: 0...WireLimits.partitionsMax - 1) else {
            throw Problem.invalidParameter("partition", "is missing; expected the partition's index, from 0")
        }
        let offset = try call.query.integer("offset", in: 0...Int.max)
        let time = try call.query.moment("time")
        if offset != nil, time != nil {
            throw Problem.invalidParameter("time", "stands in place of offset, not beside it")
        }
        let limit = try call.query.integer("limit", in: 1...limits.pageMax) ?? limits.pageDefault
        let waitMs = try call.query.integer("wait_ms", in: 0...Int(Fetch.waitMsMax)) ?? 0
        let place = Place(client: services.client, topic: topic, partition: UInt32(partition))
        var from: Offset
        if let offset {
            from = Offset(offset)
        } else {
            from = try await place.find(time.map { .time(UInt64(max(0, $0))) } ?? .earliest)
        }
        let untilMs = WallClock.steadyMs() + Int64(waitMs)
        while true {
            // In short waits, so that a gateway that goes down does not hold on to the request.
            let leftMs = max(0, untilMs - WallClock.steadyMs())
            let fetched = try await place.fetch(from, waitMs: UInt32(min(leftMs, Int64(limits.watchPauseMs))))
            let isAtEnd = fetched.nextOffset == from
            if !fetched.records.isEmpty || (isAtEnd && (leftMs == 0 || services.isDraining)) {
                return page(fetched, limit)
            }
            // Compaction may have left nothing of what was fetched.
            from = fetched.nextOffset
        }
    }

    private func page(_ fetched: FetchedRecords, _ limit: Int) -> Response {
        let records = fetched.records.prefix(limit)
        var next = fetched.nextOffset
        if records.count < fetched.records.count, let last = records.last { next = last.position.offset + 1 }
        let bytes = records.reduce(0) { $0 + $1.record.value.count + 256 }
        return Response.object(capacity: 64 + bytes) {
            $0.name("records")
            $0.array { for record in records { RecordDocument.write(record, to: &$0) } }
            $0.member("next_offset", next)
        }
    }

    /// One partition, with what a caller over HTTP is told when records are gone.
    private struct Place {
        let client: StormoClient
        let topic: String
        let partition: UInt32

        func find(_ query: OffsetQuery) async throws(ClientError) -> Offset {
            try await client.find(topic, partition: partition, query).offset
        }

        func fetch(_ offset: Offset, waitMs: UInt32) async throws -> FetchedRecords {
            do throws(ClientError) {
                return try await client.fetch(topic, partition: partition, offset: offset, waitMs: waitMs)
            } catch {
                guard case .refused(.offsetOutOfRange, _) = error else { throw error }
                var problem = Problem(error)
                let first = try await find(.earliest)
                problem.members = { $0.member("first_offset", first) }
                throw problem
            }
        }
    }

    // MARK: Following

    private enum Start: String, CaseIterable {
        case latest, earliest
    }

    private func stream(_ call: Call) async throws -> Response {
        let topic = try TopicRoutes.name(call)
        let start = try call.query.word("from", Start.self) ?? .latest
        let stream = TopicStream(services: services, topic: topic)
        let beginning = try await stream.beginning(
            at: start == .earliest ? .earliest : .latest,
            lastEventID: call.header(.lastEventID) ?? call.query["last_event_id"])
        return try stream.response(to: call, from: beginning)
    }
}
