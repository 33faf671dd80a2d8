/// The ring in force: its layout, the epoch that numbers it, and, while it changes, the layout that it changes to.
///
/// An epoch with a `next` layout is *joint*: keys whose replica set moves need a majority of the old and of the new set.
public struct Ring: Sendable, Equatable {
    /// A stretch of the ring whose keys all have the same replica sets.
    public struct Segment: Hashable, Sendable {
        /// The tokens.
        public var range: TokenRange
        /// The replica set in force.
        public var replicas: [NodeID]
        /// The replica set that it changes to; nil when the set stays as it is.
        public var next: [NodeID]?
    }

    /// The cluster's identity.
    public let clusterID: ClusterID
    /// Its number.
    public let epoch: Epoch
    /// The layout in force.
    public let layout: RingLayout
    /// The layout that the ring is changing to; nil when it is at rest.
    public let next: RingLayout?
    /// The members that decide the next epoch, in the order of their ids, at most `WireLimits.ringAcceptorsMax`.
    public let acceptors: [NodeID]

    /// Puts a ring together. Without `acceptors` they are the first members of the layout in force.
    public init(
        clusterID: ClusterID, epoch: Epoch, layout: RingLayout, next: RingLayout? = nil, acceptors: [NodeID]? = nil
    ) {
        self.clusterID = clusterID
        self.epoch = epoch
        self.layout = layout
        self.next = next
        self.acceptors = acceptors ?? Array(layout.members.map(\.id).prefix(WireLimits.ringAcceptorsMax))
    }

    /// A ring at rest. Members may come in any order.
    public init(clusterID: ClusterID, epoch: Epoch, replicationFactor: Int, members: [RingMember]) {
        self.init(
            clusterID: clusterID, epoch: epoch,
            layout: RingLayout(replicationFactor: replicationFactor, members: members))
    }

    /// Copies of every key as configured, in the layout in force.
    public var replicationFactor: Int { layout.replicationFactor }

    /// The members of the layout in force, in the order of their ids.
    public var members: [RingMember] { layout.members }

    /// Copies in force.
    public var replicas: Int { layout.replicas }

    /// A majority of the copies in force.
    public var quorum: Int { layout.quorum }

    /// The member of an id, in the layout in force or the next one.
    public func member(_ id: NodeID) -> RingMember? { layout.member(id) ?? next?.member(id) }

    /// The members of the layout in force and the next one, in the order of their ids.
    public var allMembers: [RingMember] {
        guard let next else { return members }
        return (members + next.members.filter { layout.member($0.id) == nil }).sorted { $0.id < $1.id }
    }

    /// The replica set of a token in the layout in force.
    public func replicas(of token: UInt64) -> [NodeID] { layout.replicas(of: token) }

    /// The replica set that a token's keys move to; nil when they stay where they are.
    public func nextReplicas(of token: UInt64) -> [NodeID]? {
        guard let next else { return nil }
        let replicas = next.replicas(of: token)
        return Set(replicas) == Set(layout.replicas(of: token)) ? nil : replicas
    }

    /// The share of all tokens for which a member is the first replica, 0 to 1.
    public func primaryShare(of id: NodeID) -> Double { layout.primaryShare(of: id) }

    /// The ring in stretches of equal replica sets, in order.
    public var segments: [Segment] {
        let points = Set(layout.tokens + (next?.tokens ?? [])).sorted()
        guard let last = points.last else { return [] }
        var segments: [Segment] = []
        var after = last
        for point in points {
            let range = points.count == 1 ? TokenRange.all : TokenRange(after: after, through: point)
            let segment = Segment(range: range, replicas: replicas(of: point), next: nextReplicas(of: point))
            if let before = segments.last, before.replicas == segment.replicas, before.next == segment.next {
                segments[segments.count - 1].range.through = point
            } else {
                segments.append(segment)
            }
            after = point
        }
        return segments
    }

    /// Appends the ring to a message or a journal record.
    public func encode(into writer: inout ByteWriter) {
        writer.clusterID(clusterID)
        writer.integer(epoch.rawValue)
        layout.encode(into: &writer)
        writer.optional(next) { $1.encode(into: &$0) }
        writer.list(acceptors) { $0.integer($1.rawValue) }
    }

    /// Reads a ring.
    public init(from reader: inout ByteReader) throws(WireError) {
        let clusterID = try reader.clusterID()
        let epoch = Epoch(try reader.integer("epoch"))
        let layout = try RingLayout(from: &reader)
        let next = try reader.optional("next layout") { reader throws(WireError) in try RingLayout(from: &reader) }
        let acceptors = try reader.list("acceptors", max: WireLimits.ringAcceptorsMax, minBytes: 8) {
            reader throws(WireError) in NodeID(try reader.integer("acceptor"))
        }
        for (acceptor, following) in zip(acceptors, acceptors.dropFirst()) where acceptor >= following {
            throw .invalid(
                field: "acceptors", found: "\(following) behind \(acceptor)", expected: "ids in order, each once")
        }
        self.init(clusterID: clusterID, epoch: epoch, layout: layout, next: next, acceptors: acceptors)
    }
}
