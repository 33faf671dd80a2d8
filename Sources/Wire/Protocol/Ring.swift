/// A member of the ring: a node that holds data.
public struct RingMember: Hashable, Sendable {
    /// Its id.
    public var id: NodeID
    /// Its name.
    public var name: String
    /// Where other nodes and clients reach it (`host:port`).
    public var address: String
    /// The failure domain it stands in; replicas are spread over zones when there are enough.
    public var zone: String
    /// How many tokens it holds.
    public var virtualNodes: UInt16

    /// Puts a member together.
    public init(id: NodeID, name: String, address: String, zone: String, virtualNodes: UInt16) {
        self.id = id
        self.name = name
        self.address = address
        self.zone = zone
        self.virtualNodes = virtualNodes
    }

    /// The member's tokens: XXH64 of its id, seeded with the index of the virtual node. They follow from the id, so
    /// they need not be stored.
    public var tokens: [UInt64] {
        var writer = ByteWriter(capacity: 8)
        writer.integer(id.rawValue)
        return (0..<UInt64(virtualNodes)).map { XXH64.hash(writer.bytes, seed: $0) }
    }
}

/// Who holds which keys: the members, their tokens, the replication factor, and the epoch that numbers it all.
public struct Ring: Sendable, Equatable {
    /// The cluster's identity.
    public let clusterID: ClusterID
    /// Its number.
    public let epoch: Epoch
    /// Copies of every key as configured; in force is the lower of this and the number of members.
    public let replicationFactor: Int
    /// In the order of their ids.
    public let members: [RingMember]

    private let tokens: [UInt64]
    private let owners: [Int]
    private let zoneCount: Int

    /// Computes the tables of a ring. Members may come in any order.
    public init(clusterID: ClusterID, epoch: Epoch, replicationFactor: Int, members: [RingMember]) {
        self.clusterID = clusterID
        self.epoch = epoch
        self.replicationFactor = replicationFactor
        let members = members.sorted { $0.id < $1.id }
        self.members = members
        var points: [(token: UInt64, owner: Int)] = []
        for (index, member) in members.enumerated() {
            for token in member.tokens { points.append((token, index)) }
        }
        // Equal tokens of two members are ordered by member, the same everywhere.
        points.sort { ($0.token, $0.owner) < ($1.token, $1.owner) }
        tokens = points.map(\.token)
        owners = points.map(\.owner)
        zoneCount = members.map(\.zone).sorted().reduce(into: [String]()) { if $0.last != $1 { $0.append($1) } }.count
    }

    /// Copies in force.
    public var replicas: Int { min(replicationFactor, members.count) }

    /// A majority of the copies in force.
    public var quorum: Int { replicas / 2 + 1 }

    /// The member of an id.
    public func member(_ id: NodeID) -> RingMember? { members.first { $0.id == id } }

    /// The replica set of a token: the distinct members that follow it on the ring, one per zone as long as there are
    /// zones not yet used.
    public func replicas(of token: UInt64) -> [NodeID] {
        let wanted = replicas
        guard wanted > 0, !tokens.isEmpty else { return [] }
        let start = firstIndex(atOrAfter: token)
        var chosen: [Int] = []
        chosen.reserveCapacity(wanted)
        var zones: [String] = []
        var passedOver: [Int] = []
        for step in 0..<owners.count where chosen.count < wanted {
            let owner = owners[(start + step) % owners.count]
            guard !chosen.contains(owner), !passedOver.contains(owner) else { continue }
            let zone = members[owner].zone
            if zones.count < zoneCount, zones.contains(zone) {
                passedOver.append(owner)
                continue
            }
            if !zones.contains(zone) { zones.append(zone) }
            chosen.append(owner)
        }
        for owner in passedOver where chosen.count < wanted { chosen.append(owner) }
        return chosen.map { members[$0].id }
    }

    /// The share of all tokens for which a member is the first replica, 0 to 1.
    public func primaryShare(of id: NodeID) -> Double {
        guard !tokens.isEmpty, let index = members.firstIndex(where: { $0.id == id }) else { return 0 }
        var owned: Double = 0
        for (at, owner) in owners.enumerated() where owner == index {
            let before = at == 0 ? tokens[tokens.count - 1] : tokens[at - 1]
            owned += tokens.count == 1 ? Double(UInt64.max) : Double(tokens[at] &- before)
        }
        return owned / Double(UInt64.max)
    }

    private func firstIndex(atOrAfter token: UInt64) -> Int {
        var low = 0
        var high = tokens.count
        while low < high {
            let middle = (low + high) / 2
            if tokens[middle] < token { low = middle + 1 } else { high = middle }
        }
        return low == tokens.count ? 0 : low
    }

    /// Equal when everything it was made from is.
    public static func == (a: Ring, b: Ring) -> Bool {
        a.clusterID == b.clusterID && a.epoch == b.epoch && a.replicationFactor == b.replicationFactor
            && a.members == b.members
    }

    /// Appends the ring to a message or a journal record.
    public func encode(into writer: inout ByteWriter) {
        writer.clusterID(clusterID)
        writer.integer(epoch.rawValue)
        writer.integer(UInt16(replicationFactor))
        writer.list(members) { writer, member in
            writer.integer(member.id.rawValue)
            writer.text(member.name)
            writer.text(member.address)
            writer.text(member.zone)
            writer.integer(member.virtualNodes)
        }
    }

    /// Reads a ring.
    public init(from reader: inout ByteReader) throws(WireError) {
        let clusterID = try reader.clusterID()
        let epoch = Epoch(try reader.integer("epoch"))
        let factor: UInt16 = try reader.integer("replication factor")
        guard factor > 0 else { throw .invalid(field: "replication factor", found: "0", expected: "at least 1") }
        let members = try reader.list("members", max: WireLimits.ringMembersMax, minBytes: 16) {
            reader throws(WireError) in
            let id = NodeID(try reader.integer("node id"))
            let name = try reader.text("name")
            let address = try reader.text("address")
            let zone = try reader.text("zone")
            let count: UInt16 = try reader.integer("virtual nodes")
            guard (1...UInt16(WireLimits.virtualNodesMax)).contains(count) else {
                throw .invalid(
                    field: "virtual nodes", found: "\(count)", expected: "1 to \(WireLimits.virtualNodesMax)")
            }
            return RingMember(id: id, name: name, address: address, zone: zone, virtualNodes: count)
        }
        self.init(clusterID: clusterID, epoch: epoch, replicationFactor: Int(factor), members: members)
        for (member, next) in zip(self.members, self.members.dropFirst()) where member.id == next.id {
            throw .invalid(field: "members", found: "\(member.id) twice", expected: "each member once")
        }
    }
}
