public import Wire

/// What becomes of records that a consumer cannot handle.
public struct DeadLetterPolicy: Sendable, Hashable {
    /// The topic to which they go, made on first use.
    public var topic: String
    /// How often a record is given to the handler before it goes there, at least 1.
    public var attemptsMax: Int

    /// Puts a policy together.
    public init(topic: String, attemptsMax: Int = 5) {
        self.topic = topic
        self.attemptsMax = max(1, attemptsMax)
    }
}

/// Where a dead letter comes from and why, as headers of its record. Key, value and other headers are those of the original.
public struct DeadLetter: Sendable, Hashable {
    /// The topic it was read from.
    public var topic: String
    /// Where it stood there.
    public var position: RecordPosition
    /// The group that could not handle it.
    public var group: String
    /// How often it was tried.
    public var attempts: Int
    /// What the handler said at last, cut to what a header may hold.
    public var reason: String

    /// Puts a letter's origin together.
    public init(topic: String, position: RecordPosition, group: String, attempts: Int, reason: String) {
        self.topic = topic
        self.position = position
        self.group = group
        self.attempts = attempts
        self.reason = reason
    }

    // Names of the headers.
    private static let prefix = "dead-letter-"
    private static let names = ["topic", "partition", "offset", "group", "attempts", "reason"].map { prefix + $0 }
    /// Bytes of a reason: enough for a message, too few for a page of a stack.
    private static let reasonBytesMax = 1_024

    /// The record that is published to the dead letters' topic: for a reader that knows by itself what it cannot handle.
    public func record(of original: Record) -> Record {
        let values = [
            topic, "\(position.partition)", "\(position.offset)", group, "\(attempts)",
            String(decoding: Array(reason.utf8.prefix(Self.reasonBytesMax)), as: UTF8.self),
        ]
        let own = zip(Self.names, values).map { Record.Header(name: $0, value: Array($1.utf8)) }
        // Its own come first: what does not fit is cut from the end.
        let others = original.headers.filter { !$0.name.hasPrefix(Self.prefix) }
        var record = original
        record.headers = Array((own + others).prefix(WireLimits.recordHeadersMax))
        // The reason makes the record longer than the original, which may have had the full length.
        while record.encodedCount > WireLimits.recordBytesMax, record.headers.count > Self.names.count {
            record.headers.removeLast()
        }
        return record
    }

    /// Reads the headers of a dead letter; nil for another record.
    public init?(_ record: Record) {
        func text(_ name: String) -> String? {
            record.headers.first { $0.name == name }.map { String(decoding: $0.value, as: UTF8.self) }
        }
        let values = Self.names.map(text)
        guard let topic = values[0], let partition = values[1].flatMap({ UInt32($0) }),
            let offset = values[2].flatMap({ Offset($0) }), let group = values[3],
            let attempts = values[4].flatMap({ Int($0) })
        else { return nil }
        self.init(
            topic: topic, position: RecordPosition(partition: partition, offset: offset), group: group,
            attempts: attempts, reason: values[5] ?? "")
    }

    /// The record as it was before it became a dead letter.
    public static func original(of record: Record) -> Record {
        var original = record
        original.headers.removeAll { $0.name.hasPrefix(prefix) }
        return original
    }
}
