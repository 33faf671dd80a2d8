import NodeCore
package import Wire

/// Messages as one reads them in a protocol trace.
package enum Trace {
    /// One line for a message. Ballots are left out unless asked for: they depend on the clock.
    package static func text(_ message: Message, withBallots: Bool = false) -> String {
        withBallots ? text(message) + ballots(message) : text(message)
    }

    /// A ballot, short enough for a line: milliseconds of virtual time, counter, node.
    static func ballot(_ ballot: Ballot) -> String {
        guard ballot != .zero else { return "0" }
        let ms = Int64(ballot.time.milliseconds) - Int64(VirtualCluster.wallOffsetMs)
        return "\(ms).\(ballot.time.rawValue & 0xFFFF)n\(ballot.node.rawValue)"
    }

    private static func ballots(_ message: Message) -> String {
        func cell(_ accepted: AcceptedCell?) -> String {
            accepted.map { "at \(ballot($0.ballot)) version \(ballot($0.cell.version))" } ?? "nothing"
        }
        switch message {
        case .prepare(let body): return " \(ballot(body.ballot))"
        case .accept(let body):
            let base = body.cell.base.map { " base \(ballot($0))" } ?? ""
            let next = body.next.map { " next \(ballot($0))" } ?? ""
            return " at \(ballot(body.ballot)) version \(ballot(body.cell.version))\(base)\(next)"
        case .promise(let body), .replicaState(let body):
            return " \(cell(body.accepted)), promised \(ballot(body.promised))"
        case .accepted(let body): return body.nextPromised ? " next promised" : ""
        case .refused(let body): return " promised \(ballot(body.promised)), accepted \(ballot(body.acceptedBallot))"
        case .readAnswer(let body): return body.cell.map { " version \(ballot($0.version))" } ?? ""
        case .writeAnswer(let body): return body.version.map { " version \(ballot($0))" } ?? ""
        case .error(let body): return " (\(body.detail))"
        default: return ""
        }
    }

    private static func text(_ message: Message) -> String {
        switch message {
        case .readRequest(let body): "get \(key(body.key))"
        case .readAnswer(let body): "value \(cell(body.cell))"
        case .writeRequest(let body): "\(change(body.change)) \(body.key)"
        case .writeAnswer(let body): body.applied ? "applied" : "refused, is \(cell(body.current))"
        case .scanRequest(let body): "scan '\(String(decoding: body.prefix, as: UTF8.self))' limit \(body.limit)"
        case .scanAnswer(let body):
            "page \(body.items.map { $0.key.description }.joined(separator: ","))\(body.resumeAfter == nil ? "" : " …")"
        case .replicaScan(let body): "replica-scan '\(String(decoding: body.prefix, as: UTF8.self))'"
        case .replicaPage(let body):
            "replica-page \(body.items.map { $0.key.description }.joined(separator: ","))\(body.hasMore ? " …" : "")"
        case .prepare(let body): "Prepare \(key(body.key))"
        case .promise(let body): "Promise \(cell(body.accepted?.cell))"
        case .accept(let body): "Accept \(key(body.key))=\(cell(body.cell))"
        case .accepted: "Accepted"
        case .refused: "Refused"
        case .replicaRead(let body): "Read \(key(body.key))"
        case .replicaState(let body): "State \(cell(body.accepted?.cell))"
        case .error(let body): "error \(body.code)"
        case .produce(let body): "produce \(body.batch.count)"
        case .produced(let body): "produced at \(body.baseOffset)"
        case .fetch(let body): "fetch from \(body.offset)"
        case .fetched(let body):
            "fetched \(body.batches.map { "\($0.baseOffset)..<\($0.endOffset)" }.joined(separator: ",")) hw=\(body.highWatermark)"
        case .append(let body):
            "Append e\(body.epoch) after \(body.previousEnd)@\(body.previousEpoch) hw=\(body.highWatermark) [\(body.batches.map { "\($0.baseOffset)..<\($0.endOffset)@\($0.epoch)" }.joined(separator: ","))]"
        case .appended(let body): "Appended e\(body.epoch) \(body.matched ? "matched" : "differs, try") \(body.end)"
        default: "\(message.type)"
        }
    }

    private static func key(_ key: Key) -> String {
        PartitionConfiguration.partition(of: key).map { "partition \($0.index)" } ?? key.description
    }

    /// What a cell holds, in a word.
    package static func cell(_ cell: Cell?) -> String {
        guard let cell else { return "none" }
        guard case .value(let bytes) = cell.content else { return "tombstone" }
        if bytes.allSatisfy({ (0x20..<0x7F).contains($0) }) { return String(decoding: bytes, as: UTF8.self) }
        if let lease = try? Lease(bytes) { return "lease of \(lease.owner)" }
        guard let partition = PartitionConfiguration(bytes) else { return "\(bytes.count) bytes" }
        return
            "(e\(partition.epoch) n\(partition.primary.rawValue) in-sync \(partition.inSync.map { "n\($0.node.rawValue)" }.joined(separator: ",")))"
    }

    private static func change(_ change: RegisterChange) -> String {
        switch change {
        case .put(let value, _, let condition):
            switch condition {
            case .none: "put \(String(decoding: value, as: UTF8.self)) to"
            case .absent: "put-if-absent \(String(decoding: value, as: UTF8.self)) to"
            case .version: "put-if-version \(String(decoding: value, as: UTF8.self)) to"
            }
        case .delete: "delete"
        case .acquire(let owner, _): "acquire for \(owner)"
        case .renew: "renew"
        case .release: "release"
        }
    }
}
