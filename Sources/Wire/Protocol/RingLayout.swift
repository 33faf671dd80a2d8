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

    /// Whether an operator who writes `text` means this member: its name, its id or its address.
    public func isCalled(_ text: String) -> Bool { name == text || address == text || id.description == text }

    /// The member's tokens: XXH64 of its id, seeded with the index of the virtual node. They follow from the id, so
    /// they need not be stored.
    public var tokens: [UInt64] {
        var writer = ByteWriter(capacity: 8)
        writer.integer(id.rawValue)
        return (0..<UInt64(virtualNodes)).map { XXH64.hash(writer.bytes, seed: $0) }
    }
}

/// Who holds which keys: the members with their tokens, and how many of them hold each key.
public struct RingLayout: Sendable, Equatable {
    /// Copies of every key as configured; in force is the lower of this and the number of members.
    public let replicationFactor: Int
    /// In the order of their ids.
    public let members: [RingMember]

    /// All tokens in order, and the replica set of the keys that each one is the next to.
    let tokens: [UInt64]
    private let owners: [Int]
    let replicaSets: [[NodeID]]

    /// Computes the tables of a layout. Members may come in any order.
    public init(replicationFactor: Int, members: [RingMember]) {
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
        replicaSets = Self.replicaSets(members, owners, min(replicationFactor, members.count))
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
        replicaSets.isEmpty ? [] : replicaSets[firstIndex(atOrAfter: token)]
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

    /// The replica set that begins at every token. One walk backwards keeps the members in the order in which they are
    /// met from the present token on, so a ring of thousands of tokens costs no more than a look at each member for each.
    private static func replicaSets(_ members: [RingMember], _ owners: [Int], _ wanted: Int) -> [[NodeID]] {
        let zoneNames = members.map(\.zone).sorted().reduce(into: [String]()) { if $0.last != $1 { $0.append($1) } }
        let zones = members.map { zoneNames.firstIndex(of: $0.zone) ?? 0 }
        var order: [Int] = []
        func meet(_ owner: Int) {
            if order.first == owner { return }
            if let index = order.firstIndex(of: owner) { order.remove(at: index) }
            order.insert(owner, at: 0)
        }
        // Once around, so that the last token has the whole circle behind it.
        for owner in owners.reversed() { meet(owner) }
        var sets = [[NodeID]](repeating: [], count: owners.count)
        for start in owners.indices.reversed() {
            meet(owners[start])
            sets[start] = preferred(order, zones, zoneNames.count, wanted).map { members[$0].id }
        }
        return sets
    }

    /// The first `wanted` members of `order`, one per zone as long as there are zones not yet used.
    private static func preferred(_ order: [Int], _ zones: [Int], _ zoneCount: Int, _ wanted: Int) -> [Int] {
        var chosen: [Int] = []
        chosen.reserveCapacity(wanted)
        var usedZones: [Int] = []
        var passedOver: [Int] = []
        for owner in order {
            if chosen.count == wanted { break }
            let isUsed = usedZones.contains(zones[owner])
            if isUsed, usedZones.count < zoneCount {
                passedOver.append(owner)
                continue
            }
            if !isUsed { usedZones.append(zones[owner]) }
            chosen.append(owner)
        }
        return chosen + passedOver.prefix(wanted - chosen.count)
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
    public static func == (a: RingLayout, b: RingLayout) -> Bool {
        a.replicationFactor == b.replicationFactor && a.members == b.members
    }

    func encode(into writer: inout ByteWriter) {
        writer.integer(UInt16(replicationFactor))
        writer.list(members) { writer, member in
            writer.integer(member.id.rawValue)
            writer.text(member.name)
            writer.text(member.address)
            writer.text(member.zone)
            writer.integer(member.virtualNodes)
        }
    }

    init(from reader: inout ByteReader) throws(WireError) {
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
        self.init(replicationFactor: Int(factor), members: members)
        for (member, next) in zip(self.members, self.members.dropFirst()) where member.id == next.id {
            throw .invalid(field: "members", found: "\(member.id) twice", expected: "each member once")
        }
    }
}
