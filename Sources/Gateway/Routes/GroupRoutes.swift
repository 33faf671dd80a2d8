import HTTPTypes
import Hummingbird
import StormoClient
import Wire

/// Consumer groups of the table *Topics*, with what operators may do to them.
struct GroupRoutes {
    let services: GatewayServices

    var routes: [Route] {
        [
            Route(.get, "/groups", .client, list),
            Route(.get, "/groups/{group}", .client, describe),
            Route(.post, "/groups/{group}/seek", .admin, body: .json, seek),
            Route(.delete, "/groups/{group}", .admin, delete),
        ]
    }

    private func list(_ call: Call) async throws -> Response {
        let limits = services.configuration.limits
        let limit = try call.query.integer("limit", in: 1...limits.pageMax) ?? limits.pageDefault
        let after = try PageCursor.place(.groups, in: call.query).map { String(decoding: $0, as: UTF8.self) }
        let rest = try await services.client.groups().filter { group in after.map { group.name > $0 } ?? true }
        let page = rest.prefix(limit)
        return Response.object(capacity: 256 + page.count * 256) {
            $0.name("items")
            $0.array {
                for group in page {
                    $0.object {
                        $0.member("name", group.name)
                        $0.strings("topics", group.topics)
                        $0.strings("members", group.members)
                    }
                }
            }
            $0.member(
                "next_cursor",
                rest.count > page.count ? page.last.map { PageCursor.text(.groups, Array($0.name.utf8)) } : nil)
        }
    }

    private func describe(_ call: Call) async throws -> Response {
        let name = try Self.name(call)
        guard let group = try await services.client.group(name) else {
            throw Problem.notFound("group", "there is no group \(name)")
        }
        return Response.object(capacity: 256 + group.partitions.count * 256) {
            $0.member("name", group.name)
            $0.strings("members", group.members)
            $0.member("lag", group.lagRecords)
            $0.member("lag_seconds", Double(group.lagMs) / 1_000)
            $0.name("partitions")
            $0.array { for partition in group.partitions { $0.partition(partition) } }
        }
    }

    // MARK: Changes

    private enum Word: String, CaseIterable {
        case earliest, latest

        var query: OffsetQuery { self == .earliest ? .earliest : .latest }
    }

    private func seek(_ call: Call) async throws -> Response {
        let name = try Self.name(call)
        var fields = try BodyFields(call.body)
        fields.refuseOthers(than: ["topic", "partition", "to", "offset", "time"])
        let topic = fields.text("topic", bytesMax: WireLimits.nameBytesMax)
        let partition = fields.has("partition") ? fields.whole("partition", 0...WireLimits.partitionsMax - 1) : nil
        let places = ["to", "offset", "time"].filter { fields.has($0) }
        var query: OffsetQuery?
        switch places {
        case ["to"]: query = fields.word("to", Word.self)?.query
        case ["offset"]: query = fields.whole("offset", 0...(1 << 53 - 1)).map { .offset(Offset($0)) }
        case ["time"]: query = fields.time("time").map { .time($0) }
        default: fields.add("to", "expected exactly one of to (earliest or latest), offset and time")
        }
        try fields.check()
        guard let topic, let query else { preconditionFailure("fields without errors are all there") }
        let positions = try await services.client.seek(
            group: name, topic: topic, partition: partition.map { UInt32($0) }, to: query)
        return Response.object(capacity: 64 + positions.count * 40) {
            $0.member("topic", topic)
            $0.positions("positions", positions)
        }
    }

    private func delete(_ call: Call) async throws -> Response {
        let name = try Self.name(call)
        let isForced = try call.query.flag("force") ?? false
        switch try await services.client.deleteGroup(name, isForced: isForced) {
        case .deleted: return Response(status: .noContent)
        case .inUse(let members):
            var problem = Problem.conflict(
                "group_in_use", "members read for the group \(name): stop them first, or force it")
            problem.members = { $0.strings("members", members) }
            throw problem
        }
    }

    private static func name(_ call: Call) throws(Problem) -> String {
        let name = call.parameter("group")
        guard name.utf8.count <= WireLimits.nameBytesMax else {
            throw .invalidParameter(
                "group", "expected 1 to \(WireLimits.nameBytesMax) bytes, found \(name.utf8.count)")
        }
        return name
    }
}

extension JSONWriter {
    fileprivate mutating func strings(_ name: String, _ texts: [String]) {
        self.name(name)
        array { for text in texts { $0.string(text) } }
    }

    fileprivate mutating func partition(_ partition: GroupPartition) {
        object {
            $0.member("topic", partition.topic)
            $0.member("partition", partition.partition)
            $0.member("member", partition.holder?.member)
            $0.member("lease_ends_at", partition.holder.map { Timestamp.rfc3339(milliseconds: $0.leaseEndMs) })
            $0.member("committed_offset", partition.committed)
            $0.member("next_offset", partition.end)
            $0.member("lag", partition.lag?.records)
            $0.name("lag_seconds")
            if let lag = partition.lag { $0.double(Double(lag.ms) / 1_000) } else { $0.null() }
        }
    }
}
