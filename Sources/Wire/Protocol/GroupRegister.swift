/// What a consumer group remembers of one partition: the value of a register of the system. Taking the partition and
/// committing an offset are compare-and-sets of it, so a member that lost its lease cannot move the group's position.
public struct GroupRegister: Hashable, Sendable {
    /// The member that holds the partition, in its own words; empty when nobody does.
    public var owner: String
    /// Raised by one whenever the partition is taken.
    public var token: UInt64
    /// When the holder's lease ends, in milliseconds since 1970; 0 when it was given back.
    public var leaseEndMs: UInt64
    /// Where the group goes on reading; nil before the first commit.
    public var offset: Offset?
    /// The topic's name, for listings: the key has its id only.
    public var topic: String

    /// Puts a register's value together.
    public init(owner: String, token: UInt64, leaseEndMs: UInt64, offset: Offset?, topic: String) {
        self.owner = owner
        self.token = token
        self.leaseEndMs = leaseEndMs
        self.offset = offset
        self.topic = topic
    }

    /// Whether somebody holds the partition at a moment, in milliseconds since 1970.
    public func isHeld(atMs nowMs: UInt64) -> Bool { !owner.isEmpty && nowMs < leaseEndMs }

    // MARK: The value

    /// Number of this form of the value, its first byte.
    private static let version: UInt8 = 1

    /// The bytes kept in the register.
    public var encoded: [UInt8] {
        var writer = ByteWriter(capacity: 48 + owner.utf8.count + topic.utf8.count)
        writer.integer(Self.version)
        writer.text(owner)
        writer.integer(token)
        writer.integer(leaseEndMs)
        writer.optional(offset) { $0.integer($1) }
        writer.text(topic)
        return writer.bytes
    }

    /// Reads the bytes of a register; throws for those of another version, and for damaged ones.
    public init(_ bytes: [UInt8]) throws(WireError) {
        let result: Result<GroupRegister, WireError> = bytes.withUnsafeBytes { bytes in
            do throws(WireError) { return .success(try Self.read(bytes)) } catch { return .failure(error) }
        }
        self = try result.get()
    }

    private static func read(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> GroupRegister {
        var reader = ByteReader(bytes)
        let version: UInt8 = try reader.integer("version of a group's register")
        guard version == Self.version else {
            throw .invalid(field: "version of a group's register", found: "\(version)", expected: "\(Self.version)")
        }
        let owner = try reader.text("owner")
        let token: UInt64 = try reader.integer("token")
        let leaseEndMs: UInt64 = try reader.integer("lease end")
        let offset = try reader.optional("offset") { reader throws(WireError) in
            try reader.integer("offset", as: Offset.self)
        }
        let register = GroupRegister(
            owner: owner, token: token, leaseEndMs: leaseEndMs, offset: offset, topic: try reader.text("topic"))
        try reader.end(of: "a group's register")
        return register
    }

    // MARK: The key

    /// What the keys of all groups begin with.
    public static let keyPrefix = Key.system("group/")

    /// The register of a group and partition: `group/{group}/{topic id}/{partition}`.
    public static func key(group: String, partition: PartitionID) -> Key {
        .system("group/\(group)/\(partition.topic)/\(partition.index)")
    }

    /// What the keys of a group and topic begin with.
    package static func key(group: String, topic: TopicID) -> Key { .system("group/\(group)/\(topic)/") }

    /// The group and partition that a key stands for; nil when it is no group's. A group's name may contain slashes.
    public static func parse(_ key: Key) -> (group: String, partition: PartitionID)? {
        guard key.bytes.starts(with: keyPrefix.bytes) else { return nil }
        let text = String(decoding: key.bytes.dropFirst(keyPrefix.bytes.count), as: UTF8.self)
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 3, let index = UInt32(parts[parts.count - 1]),
            let topic = Hex.number(parts[parts.count - 2])
        else { return nil }
        return (parts.dropLast(2).joined(separator: "/"), PartitionID(topic: TopicID(topic), index: index))
    }
}
