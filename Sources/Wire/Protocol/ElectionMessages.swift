/// An operator's word that a node should be a partition's primary. Asked of that node itself: it alone knows its log.
/// Answered by `elected` when it is said; the reign begins a moment later.
public struct ElectPrimary: Hashable, Sendable {
    /// The topic's name.
    public var topic: String
    /// The partition's index.
    public var partition: UInt32
    /// The node, which is the one that is asked.
    public var node: NodeID
    /// Whether it may be without records that were acknowledged: these are lost then.
    public var unclean: Bool

    /// Puts a request together.
    public init(topic: String, partition: UInt32, node: NodeID, unclean: Bool) {
        self.topic = topic
        self.partition = partition
        self.node = node
        self.unclean = unclean
    }

    func encode(into writer: inout ByteWriter) {
        writer.text(topic)
        writer.integer(partition)
        writer.integer(node.rawValue)
        writer.bool(unclean)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        topic = try reader.text("topic")
        partition = try reader.integer("partition")
        node = NodeID(try reader.integer("node"))
        unclean = try reader.bool("unclean")
    }
}

/// The node is to be the primary.
public struct Elected: Hashable, Sendable {
    /// Whether it was not in the in-sync set, so that what was acknowledged behind its log is lost.
    public var unclean: Bool
    /// The epoch of the reign before; its own will be a later one, unless it had the reign already.
    public var epoch: LogEpoch
    /// The first offset of its log.
    public var firstOffset: Offset
    /// The offset behind its last record.
    public var endOffset: Offset

    /// Puts an answer together.
    public init(unclean: Bool, epoch: LogEpoch, firstOffset: Offset, endOffset: Offset) {
        self.unclean = unclean
        self.epoch = epoch
        self.firstOffset = firstOffset
        self.endOffset = endOffset
    }

    func encode(into writer: inout ByteWriter) {
        writer.bool(unclean)
        writer.integer(epoch)
        writer.integer(firstOffset)
        writer.integer(endOffset)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        unclean = try reader.bool("unclean")
        epoch = try reader.integer("log epoch")
        firstOffset = try reader.integer("first offset")
        endOffset = try reader.integer("end offset")
    }
}
