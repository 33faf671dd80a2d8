import HTTPTypes
import Hummingbird
import StormoClient
import Wire

/// The table *Keys* of the HTTP contract. `/kv` and `/key` are two names of one thing.
struct KeyRoutes {
    let services: GatewayServices

    private static let prefixes = ["/kv", "/key"]

    var routes: [Route] {
        Self.prefixes.flatMap { prefix in
            [
                Route(.get, prefix, .client, list),
                Route(.get, "\(prefix)/{key...}", .client, read),
                Route(.put, "\(prefix)/{key...}", .operator, body: .json, write),
                Route(.delete, "\(prefix)/{key...}", .operator, delete),
                Route(.post, "\(prefix)/cas", .operator, body: .json, compareAndSet),
            ]
        }
    }

    // MARK: Reading

    private enum ReadConsistency: String, CaseIterable {
        case one, quorum

        var wire: Consistency { self == .one ? .one : .quorum }
    }

    private func read(_ call: Call) async throws -> Response {
        let key = try KeyName.key(call.parameter("key"), field: "key")
        if let name = call.query["replica"] { return try await readReplica(key, name, call) }
        let consistency = try call.query.word("consistency", ReadConsistency.self) ?? .quorum
        if let document = try await ComputedKeys(services: services).document(of: key) {
            return Response.object(capacity: document.count + 128) {
                $0.member("key", key.description)
                $0.name("value")
                $0.raw(document)
                $0.member("version", ComputedKeys.version(of: document))
            }
        }
        guard let stored = try await services.client.get(key, consistency: consistency.wire) else {
            throw Problem.notFound("key", "there is no key \(key)")
        }
        let version = stored.version.description
        let headers: HTTPFields = [.eTag: EntityTag.quoted(version)]
        if let header = call.header(.ifNoneMatch), EntityTag.isNamed(version, in: header) {
            return Response(status: .notModified, headers: headers)
        }
        return Response.object(headers: headers, capacity: stored.value.count + 256) {
            $0.member("key", key.description)
            $0.storedValue(stored.value)
            $0.member("version", version)
            if let expiry = stored.expiryMs { $0.member("expires_at", Timestamp.rfc3339(milliseconds: expiry)) }
            if consistency == .one { $0.member("stale_possible", true) }
        }
    }

    private func readReplica(_ key: Key, _ name: String, _ call: Call) async throws -> Response {
        _ = try AccessPolicy.identity(for: .operator, showing: .identity(call.identity), isOpen: false)
        let node = try RingRoutes.member(name, in: services.client.cluster)
        guard let cell = try await services.client.localCopy(key, at: node.id) else {
            throw Problem.notFound("key", "\(node.name) has no copy of \(key)")
        }
        return Response.object {
            $0.member("key", key.description)
            $0.member("replica", node.name)
            switch cell.content {
            case .value(let bytes): $0.storedValue(bytes)
            case .tombstone:
                $0.name("value")
                $0.null()
                $0.member("deleted", true)
            }
            $0.member("version", cell.version.description)
            if let expiry = cell.expiryMs { $0.member("expires_at", Timestamp.rfc3339(milliseconds: expiry)) }
        }
    }

    private func list(_ call: Call) async throws -> Response {
        let limits = services.configuration.limits
        let limit = try call.query.integer("limit", in: 1...limits.pageMax) ?? limits.pageDefault
        let keysOnly = try call.query.flag("keys_only") ?? false
        let prefix = Array((call.query["prefix"] ?? "").utf8)
        guard prefix.count <= WireLimits.keyBytesMax, prefix.first != 0 else {
            throw Problem.invalidParameter(
                "prefix", "expected at most \(WireLimits.keyBytesMax) bytes that do not begin with byte 0")
        }
        let after = try PageCursor.place(.keys, in: call.query) ?? []
        let page = try await services.client.scan(prefix: prefix, after: after, limit: limit, keysOnly: keysOnly)
        return Response.object(capacity: 1_024 + page.items.count * 256) {
            $0.name("items")
            $0.array {
                for item in page.items where !item.key.isSystem {
                    $0.object {
                        $0.member("key", item.key.description)
                        if !keysOnly, case .value(let bytes) = item.cell.content { $0.storedValue(bytes) }
                        $0.member("version", item.cell.version.description)
                    }
                }
            }
            $0.member("next_cursor", page.resumeAfter.map { PageCursor.text(.keys, $0) })
        }
    }

    // MARK: Writing

    private enum WriteConsistency: String, CaseIterable {
        case any, one, quorum, all, serial

        var wire: Consistency {
            switch self {
            case .any: .any
            case .one: .one
            case .quorum: .quorum
            case .all: .all
            case .serial: .serial
            }
        }
    }

    private func write(_ call: Call) async throws -> Response {
        let key = try KeyName.key(call.parameter("key"), field: "key")
        try ComputedKeys.refuse(key)
        let consistency = try call.query.word("consistency", WriteConsistency.self) ?? .quorum
        let condition = try WriteCondition(call)
        if condition != .none, consistency != .quorum, consistency != .serial {
            throw Problem.invalidParameter("consistency", "a condition needs quorum or serial")
        }
        var fields = try BodyFields(call.body)
        let value = fields.raw("value", of: call.body)
        let ttlMs = fields.has("ttl") ? fields.seconds("ttl", msRange: WireLimits.ttlMsRange) : nil
        try fields.check()
        let answer = try await condition.apply(to: key, services) { wanted throws(ClientError) in
            switch wanted {
            case .none:
                try await services.client.write(
                    key, .put(value: value, ttlMs: ttlMs, condition: .none), consistency: consistency.wire)
            default: try await services.client.compareAndSet(key, value, if: wanted, ttlMs: ttlMs)
            }
        }
        let version = answer.version?.description
        return Response.object(headers: version.map { [.eTag: EntityTag.quoted($0)] } ?? [:]) {
            $0.member("key", key.description)
            $0.member("version", version)
            if let expiry = answer.expiryMs { $0.member("expires_at", Timestamp.rfc3339(milliseconds: expiry)) }
        }
    }

    private func delete(_ call: Call) async throws -> Response {
        let key = try KeyName.key(call.parameter("key"), field: "key")
        try ComputedKeys.refuse(key)
        let condition = try WriteCondition(call)
        _ = try await condition.apply(to: key, services) { wanted throws(ClientError) in
            try await services.client.delete(key, if: wanted)
        }
        return Response(status: .noContent)
    }

    private func compareAndSet(_ call: Call) async throws -> Response {
        var fields = try BodyFields(call.body)
        let name = fields.text("key", bytesMax: WireLimits.keyBytesMax)
        let value = fields.raw("new", of: call.body)
        let ttlMs = fields.has("ttl") ? fields.seconds("ttl", msRange: WireLimits.ttlMsRange) : nil
        let expected: ExpectedValue?
        switch (fields.object["old"], fields.object["version"]) {
        case (nil, nil):
            fields.add("old", "is missing; expected the present value, null for absent, or \"version\" in its place")
            expected = nil
        case (_?, _?):
            fields.add("version", "stands in place of \"old\", not beside it")
            expected = nil
        case (let old?, nil): expected = old == .null ? .absent : .value(old)
        case (nil, _?): expected = fields.text("version").map { .version($0) }
        }
        try fields.check()
        guard let name, let expected else { preconditionFailure("fields without errors are all there") }
        let key = try KeyName.key(name, field: "key")
        try ComputedKeys.refuse(key)
        let comparison = ValueComparison(
            client: services.client, attemptsMax: services.configuration.limits.casAttemptsMax)
        switch try await comparison.set(key, to: value, if: expected, ttlMs: ttlMs) {
        case .applied(let answer):
            let version = answer.version?.description
            return Response.object(headers: version.map { [.eTag: EntityTag.quoted($0)] } ?? [:]) {
                $0.member("ok", true)
                $0.member("version", version)
                if let expiry = answer.expiryMs { $0.member("expires_at", Timestamp.rfc3339(milliseconds: expiry)) }
            }
        case .different(let current):
            var problem = Problem.conflict("comparison_failed", "the value is not the one that was expected")
            problem.members = { writer in
                writer.member("ok", false)
                if let current {
                    writer.storedValue(current.value, name: "current")
                } else {
                    writer.name("current")
                    writer.null()
                }
                writer.member("version", current?.version.description)
            }
            throw problem
        case .contended:
            services.metrics.count(.casContended)
            throw Problem.overloaded("others keep changing \(key)")
        }
    }
}

/// Names of keys as they come over HTTP.
enum KeyName {
    /// The key of a name: UTF-8, 1 to 512 bytes, not one of the system's own.
    static func key(_ name: String, field: String) throws(Problem) -> Key {
        let bytes = Array(name.utf8)
        guard (1...WireLimits.keyBytesMax).contains(bytes.count) else {
            throw invalid(field, "expected 1 to \(WireLimits.keyBytesMax) bytes, found \(bytes.count)")
        }
        guard bytes.first != 0 else {
            throw invalid(field, "must not begin with byte 0: such keys are the system's own")
        }
        return Key(bytes)
    }

    private static func invalid(_ field: String, _ detail: String) -> Problem {
        Problem(
            .unprocessableContent, "invalid_key", "The key is not valid", detail,
            errors: [FieldError(field: field, detail: detail)])
    }
}

extension JSONWriter {
    /// A stored value as it is; what is no JSON (written by a program that speaks to the nodes itself) in base 64
    /// beside a null.
    mutating func storedValue(_ bytes: [UInt8], name: String = "value") {
        self.name(name)
        if JSONCheck.isValid(bytes) {
            raw(bytes)
        } else {
            null()
            member("\(name)_base64", Base64.encode(bytes))
        }
    }
}

extension BodyFields {
    /// The text of a member of any kind, as it stands in the body; a problem is noted when there is none.
    mutating func raw(_ name: String, of body: [UInt8]) -> [UInt8] {
        guard let member = object.member(name) else {
            add(name, "is missing; expected any JSON value")
            return []
        }
        return Array(body[member.range])
    }
}
