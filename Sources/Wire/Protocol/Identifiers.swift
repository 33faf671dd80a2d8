/// A node of the cluster: 64 random bits drawn at its first start and kept in its data directory.
///
/// A node that lost its ballot ceiling takes a new id (it is then a replacement, not the old node), so the id is
/// apart from the node's name, which is what people type.
public struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The 64 bits; 0 stands for "no node" on the wire.
    public let rawValue: UInt64

    /// Wraps the bits of an id.
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    /// No node: the id of clients that hold no data.
    public static let none = NodeID(0)

    /// Ids have no meaning in their order; it only breaks ties the same way everywhere.
    public static func < (a: NodeID, b: NodeID) -> Bool { a.rawValue < b.rawValue }

    /// Sixteen hexadecimal digits.
    public var description: String { Hex.fixed(rawValue) }
}

/// The number of a ring: it grows by one with every change of the members, their tokens or the replication factor.
public struct Epoch: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// 0 before the first ring is known; 1 is the ring that the founders agreed on.
    public let rawValue: UInt32

    /// Wraps a number.
    public init(_ rawValue: UInt32) { self.rawValue = rawValue }

    /// No ring yet.
    public static let none = Epoch(0)

    /// A later ring is greater.
    public static func < (a: Epoch, b: Epoch) -> Bool { a.rawValue < b.rawValue }

    /// The decimal number.
    public var description: String { String(rawValue) }
}

/// Pairs an answer with its request on one connection; 0 marks a frame that expects no answer.
public struct RequestID: Hashable, Sendable, CustomStringConvertible {
    /// Unique among the requests in flight on a connection.
    public let rawValue: UInt32

    /// Wraps a number.
    public init(_ rawValue: UInt32) { self.rawValue = rawValue }

    /// The frame is one-way.
    public static let oneWay = RequestID(0)

    /// The decimal number.
    public var description: String { String(rawValue) }
}

/// The life of a topic: creating a topic of the same name anew gives another id, so nothing of the old one is taken
/// for the new one's.
public struct TopicID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// XXH64 of the ballot under which the topic was made.
    public let rawValue: UInt64

    /// Wraps the number of a topic.
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    /// The order has no meaning; it is the same everywhere.
    public static func < (a: TopicID, b: TopicID) -> Bool { a.rawValue < b.rawValue }

    /// Sixteen hexadecimal digits.
    public var description: String { Hex.fixed(rawValue) }
}

/// One partition of one topic.
public struct PartitionID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The topic's life.
    public let topic: TopicID
    /// The partition's index, from 0.
    public let index: UInt32

    /// Names a partition.
    public init(topic: TopicID, index: UInt32) {
        self.topic = topic
        self.index = index
    }

    /// By topic, then by index.
    public static func < (a: PartitionID, b: PartitionID) -> Bool {
        a.topic == b.topic ? a.index < b.index : a.topic < b.topic
    }

    /// `topic/index`.
    public var description: String { "\(topic)/\(index)" }
}

/// The place of a record in its partition, from 0 without gaps (compaction aside).
public typealias Offset = UInt64

/// The reign of a primary over a partition; a new primary, and a primary that restarts, takes the next one.
public typealias LogEpoch = UInt32

/// One replica's copy of a partition's log. A replica that starts without its whole log takes a new one.
public typealias LogID = UInt64

/// What a peer is, as it says in its handshake.
public enum Role: UInt8, Sendable, Hashable, CaseIterable {
    /// Holds data.
    case node = 1
    /// Speaks HTTP to the outside.
    case gateway = 2
    /// Runs a part of an application.
    case agent = 3
    /// A command of an operator.
    case tool = 4
}

/// What a connection carries. Control frames never queue behind bulk data, so they have a connection of their own.
public enum ConnectionPurpose: UInt8, Sendable, Hashable, CaseIterable {
    /// Membership between nodes.
    case control = 1
    /// Replication between nodes.
    case bulk = 2
    /// Requests of gateways, agents and tools.
    case client = 3
}

/// Hexadecimal text of numbers and bytes.
public enum Hex {
    /// Sixteen lower-case digits, leading zeros kept, so that the text sorts as the number does.
    public static func fixed(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The number that sixteen hexadecimal digits stand for; nil for any other text.
    public static func number(_ text: Substring) -> UInt64? {
        guard text.utf8.count == 16, text.utf8.allSatisfy({ isDigit($0) }) else { return nil }
        return UInt64(text, radix: 16)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) || (0x41...0x46).contains(byte)
    }
}
