import Logging
import NIOCore
import Wire

/// The members of a group that read one life of a topic: each keeps a key with a time to live, so that one that dies is
/// missed when that is over.
struct GroupMembers: Sendable {
    private let client: StormoClient
    private let group: String
    private let topic: TopicID
    private let owner: String
    private var writtenAt: NIODeadline?

    /// A member by its name, which no other has.
    init(client: StormoClient, group: String, topic: TopicID, owner: String) {
        self.client = client
        self.group = group
        self.topic = topic
        self.owner = owner
    }

    // By a digest of the name: with the group's the name itself could be longer than a key may be.
    private var key: Key {
        let digest = Hex.fixed(XXH64.hash(Array(owner.utf8)))
        return Key(Self.keyPrefix(group, topic).bytes + Array(digest.utf8))
    }

    /// What the keys of a group's members begin with; their values are the names.
    private static func keyPrefix(_ group: String, _ topic: TopicID) -> Key {
        .system("group-member/\(group)/\(topic)/")
    }

    /// Says that this member is alive, when that is due, and tells who else is. Throws when the cluster is away: then
    /// nothing new is known.
    mutating func meet() async throws(ClientError) -> [String] {
        let lengthMs = client.configuration.sessionLeaseMs
        let now = NIODeadline.now()
        if writtenAt.map({ now >= $0 + .milliseconds(Int64(lengthMs / 3)) }) ?? true {
            try await client.put(key, Array(owner.utf8), ttlMs: lengthMs)
            writtenAt = now
        }
        let others = try await Self.living(in: group, of: topic, client)
        return others.contains(owner) ? others : others + [owner]
    }

    /// The living members of a group that read a topic.
    static func living(
        in group: String, of topic: TopicID, _ client: StormoClient
    ) async throws(ClientError) -> [String] {
        let start = keyPrefix(group, topic)
        let items = try await client.scanAll(prefix: start.bytes, max: ClientLimits.groupMembersMax)
        return items.compactMap { item -> String? in
            guard case .value(let name) = item.cell.content else { return nil }
            return String(decoding: name, as: UTF8.self)
        }
    }

    /// Who holds which partition at this moment.
    func owners(partitions: UInt32) async throws(ClientError) -> [UInt32: String] {
        let nowMs = client.router.nowMs
        var owners: [UInt32: String] = [:]
        let start = GroupRegister.key(group: group, topic: topic)
        for item in try await client.scanAll(prefix: start.bytes, max: Int(partitions)) {
            guard let (_, partition) = GroupRegister.parse(item.key), case .value(let bytes) = item.cell.content,
                let register = try? GroupRegister(bytes), register.isHeld(atMs: nowMs)
            else { continue }
            owners[partition.index] = register.owner
        }
        return owners
    }

    /// Leaves at once instead of being missed.
    func leave() async { _ = try? await client.delete(key) }
}
