import Wire

/// Refuses here what a node would refuse by closing the connection, on which others' requests are in flight.
enum RequestCheck {
    /// Throws `refused(.invalid)` for a request outside the protocol's limits.
    static func check(_ message: Message) throws(ClientError) {
        switch message {
        case .readRequest(let request): try key(request.key)
        case .writeRequest(let request):
            try key(request.key)
            switch request.change {
            case .put(let value, let ttlMs, _):
                try length("value", value.count, max: WireLimits.valueBytesMax)
                if let ttlMs { try range("ttl", ttlMs, WireLimits.ttlMsRange) }
            case .delete, .release: break
            case .acquire(let owner, let ttlMs):
                try length("owner", owner.utf8.count, max: WireLimits.nameBytesMax)
                try range("lease", ttlMs, WireLimits.leaseMsRange)
            case .renew(_, let ttlMs): try range("lease", ttlMs, WireLimits.leaseMsRange)
            }
        case .scanRequest(let request):
            try length("prefix", request.prefix.count, max: WireLimits.keyBytesMax)
            try length("after", request.after.count, max: WireLimits.keyBytesMax)
        case .createTopic(let request):
            try length("topic", request.name.utf8.count, max: WireLimits.nameBytesMax)
            try range("partitions", UInt64(request.configuration.partitions), 1...UInt64(WireLimits.partitionsMax))
            try range("replication factor", UInt64(request.configuration.replicationFactor), 1...UInt64(UInt16.max))
        case .describeTopics(let request), .deleteTopic(let request):
            try length("topic", request.name.utf8.count, max: WireLimits.nameBytesMax)
        case .watchRequest(let request):
            try length("prefix", request.prefix.count, max: WireLimits.keyBytesMax)
            if let after = request.position?.after { try length("after", after.count, max: WireLimits.keyBytesMax) }
            try range("wait", UInt64(request.waitMs), 0...UInt64(WireLimits.watchWaitMsMax))
        case .changeRing(let request):
            switch request.change {
            case .add(let node), .remove(let node): try name(node)
            case .replace(let node, let replacement):
                try name(node)
                try name(replacement)
            case .replicationFactor(let factor):
                try range("replication factor", UInt64(max(0, factor)), 1...UInt64(UInt16.max))
            case .abort: break
            }
        case .forgetMember(let request): try name(request.node)
        case .fetch(let request): try range("wait", UInt64(request.waitMs), 0...UInt64(Fetch.waitMsMax))
        default: break
        }
    }

    private static func key(_ key: Key) throws(ClientError) {
        do throws(WireError) { _ = try key.validated() } catch { throw .refused(.invalid, "\(error)") }
    }

    private static func name(_ node: String) throws(ClientError) {
        try length("node", node.utf8.count, max: WireLimits.nameBytesMax)
    }

    private static func length(_ field: String, _ found: Int, max: Int) throws(ClientError) {
        guard found <= max else { throw .refused(.invalid, "\(field) has \(found) bytes, at most \(max) are allowed") }
    }

    private static func range(_ field: String, _ found: UInt64, _ range: ClosedRange<UInt64>) throws(ClientError) {
        guard range.contains(found) else {
            throw .refused(.invalid, "\(field) is \(found), expected \(range.lowerBound) to \(range.upperBound)")
        }
    }
}
