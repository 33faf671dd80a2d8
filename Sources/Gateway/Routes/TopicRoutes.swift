import HTTPTypes
import Hummingbird
import StormoClient
import Wire

/// Topics of the table *Topics*: which there are and how they are kept. Their records are `RecordRoutes`.
struct TopicRoutes {
    let services: GatewayServices

    var routes: [Route] {
        [
            Route(.get, "/topics", .client, list),
            Route(.get, "/topics/{topic}", .client, describe),
            Route(.put, "/topics/{topic}", .admin, body: .json, put),
            Route(.delete, "/topics/{topic}", .admin, delete),
        ]
    }

    private func list(_ call: Call) async throws -> Response {
        let limits = services.configuration.limits
        let limit = try call.query.integer("limit", in: 1...limits.pageMax) ?? limits.pageDefault
        let after = try PageCursor.place(.topics, in: call.query).map { String(decoding: $0, as: UTF8.self) }
        let rest = try await services.client.topics().filter { topic in after.map { topic.name > $0 } ?? true }
        let page = rest.prefix(limit)
        let names = nodeNames
        return Response.object(capacity: 256 + page.count * 1_024) {
            $0.name("items")
            $0.array { for topic in page { $0.topic(topic, names) } }
            $0.member(
                "next_cursor",
                rest.count > page.count ? page.last.map { PageCursor.text(.topics, Array($0.name.utf8)) } : nil)
        }
    }

    private func describe(_ call: Call) async throws -> Response {
        let name = try Self.name(call)
        guard let topic = try await services.client.topic(name) else { throw Self.unknown(name) }
        return document(topic)
    }

    // MARK: Changes

    private enum CleanupWord: String, CaseIterable {
        case delete, compact

        var wire: Cleanup { self == .delete ? .delete : .compact }
    }

    private func put(_ call: Call) async throws -> Response {
        let name = try Self.name(call)
        var fields = try BodyFields(call.body)
        fields.refuseOthers(than: [
            "partitions", "replication_factor", "min_in_sync", "retention_ms", "retention_bytes", "cleanup",
        ])
        let partitions = fields.whole("partitions", 1...WireLimits.partitionsMax)
        let factor = fields.whole("replication_factor", 1...WireLimits.ringMembersMax)
        let minInSync =
            fields.has("min_in_sync") ? fields.whole("min_in_sync", 0...WireLimits.ringMembersMax) : nil
        if let factor, let minInSync, minInSync > factor {
            fields.add("min_in_sync", "expected at most replication_factor, \(factor), found \(minInSync)")
        }
        let retentionMs = fields.has("retention_ms") ? fields.whole("retention_ms", 0...Self.wholeMax) : nil
        let retentionBytes = fields.has("retention_bytes") ? fields.whole("retention_bytes", 0...Self.wholeMax) : nil
        let cleanup = fields.has("cleanup") ? fields.word("cleanup", CleanupWord.self) : nil
        try fields.check()
        guard let partitions, let factor else { preconditionFailure("fields without errors are all there") }
        let present = try await services.client.topic(name)
        if let present, partitions < Int(present.configuration.partitions) {
            fields.add(
                "partitions",
                "the topic has \(present.configuration.partitions); they can become more, not \(partitions)")
            try fields.check()
        }
        // What the request does not say stays as it is, or is the default of a new topic.
        var wanted = present?.configuration ?? TopicConfiguration()
        wanted.partitions = UInt32(partitions)
        wanted.replicationFactor = UInt16(factor)
        if let minInSync { wanted.minInSync = UInt16(minInSync) }
        if let retentionMs { wanted.retentionMs = UInt64(retentionMs) }
        if let retentionBytes { wanted.retentionBytes = UInt64(retentionBytes) }
        if let cleanup { wanted.cleanup = cleanup.wire }
        if let present {
            guard wanted != present.configuration else { return document(present) }
            return document(try await services.client.alterTopic(name, wanted))
        }
        guard let made = try await services.client.topic(name, creating: wanted) else { throw Self.unknown(name) }
        guard made.configuration == wanted else {
            // Somebody else was faster, and wanted it otherwise.
            return document(try await services.client.alterTopic(name, wanted))
        }
        return document(made, status: .created, headers: [.location: "/topics/\(PercentCoding.encoded(name))"])
    }

    /// The largest whole number that every reader of JSON keeps.
    private static let wholeMax = 1 << 53 - 1

    private func delete(_ call: Call) async throws -> Response {
        try await services.client.deleteTopic(try Self.name(call))
        return Response(status: .noContent)
    }

    // MARK: Parts

    private func document(
        _ topic: TopicInfo, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
    ) -> Response {
        var writer = JSONWriter(capacity: 512 + topic.partitions.count * 192)
        writer.topic(topic, nodeNames)
        return .json(writer.bytes, status: status, headers: headers)
    }

    /// What operators call the nodes.
    private var nodeNames: [NodeID: String] {
        let members = services.client.cluster?.members ?? []
        return Dictionary(members.map { ($0.identity.id, $0.identity.name) }) { first, _ in first }
    }

    /// The topic that a request's path names; 422 for a name that none can have.
    static func name(_ call: Call) throws(Problem) -> String {
        let name = call.parameter("topic")
        guard TopicInfo.isName(name) else {
            let detail =
                "expected 1 to \(WireLimits.nameBytesMax) letters, digits, '.', '_' or '-', found \"\(name.prefix(64))\""
            throw Problem(
                .unprocessableContent, "invalid_topic", "The topic's name is not valid", detail,
                errors: [FieldError(field: "topic", detail: detail)])
        }
        return name
    }

    /// There is no such topic.
    static func unknown(_ name: String) -> Problem { .notFound("topic", "there is no topic \(name)") }
}

extension JSONWriter {
    fileprivate mutating func topic(_ topic: TopicInfo, _ names: [NodeID: String]) {
        object {
            $0.member("name", topic.name)
            $0.member("id", topic.id.description)
            $0.name("configuration")
            $0.configuration(topic.configuration)
            $0.member("bytes", topic.partitions.reduce(0) { $0 + $1.bytes })
            $0.name("partitions")
            $0.array { for partition in topic.partitions { $0.partition(partition, names) } }
        }
    }

    /// In the form that `PUT` takes.
    private mutating func configuration(_ configuration: TopicConfiguration) {
        object {
            $0.member("partitions", configuration.partitions)
            $0.member("replication_factor", configuration.replicationFactor)
            $0.member("min_in_sync", configuration.minInSync)
            $0.member("retention_ms", configuration.retentionMs)
            $0.member("retention_bytes", configuration.retentionBytes)
            $0.member("cleanup", configuration.cleanup == .delete ? "delete" : "compact")
        }
    }

    private mutating func partition(_ partition: PartitionInfo, _ names: [NodeID: String]) {
        func name(_ node: NodeID) -> String { names[node] ?? node.description }
        object {
            $0.member("partition", partition.index)
            $0.member("primary", partition.primary == .none ? nil : name(partition.primary))
            $0.member("epoch", partition.epoch)
            $0.name("replicas")
            $0.array { for node in partition.replicas { $0.string(name(node)) } }
            $0.name("in_sync")
            $0.array { for node in partition.inSync { $0.string(name(node)) } }
            $0.member("first_offset", partition.firstOffset)
            $0.member("next_offset", partition.highWatermark)
            $0.member("bytes", partition.bytes)
        }
    }
}
