/// Every bound of the protocol, each with its reason. They are checked before anything is allocated.
public enum WireLimits {
    /// A key, in bytes: long enough for hierarchical names, short enough to live in indexes and caches.
    public static let keyBytesMax = 512
    /// A key that a node keeps for itself, in bytes: a key with room for what it is kept for.
    public static let localKeyBytesMax = 576
    /// A value, in bytes: a register is rewritten whole, so a large one costs every replica its size each time.
    public static let valueBytesMax = 1 << 20
    /// The body of a frame after decompression, in bytes: it bounds what one peer can make another allocate.
    public static let frameBytesMax = 16 << 20
    /// A frame before the handshake is finished, in bytes: a stranger may ask for little.
    public static let handshakeBytesMax = 4 << 10
    /// A membership frame, in bytes: a full state of a thousand members fits.
    public static let gossipBytesMax = 1 << 20
    /// A record of a topic, in bytes, with its headers.
    public static let recordBytesMax = 1 << 20
    /// A batch of records before compression, in bytes.
    public static let batchBytesMax = 4 << 20
    /// The same after compaction, in bytes: each of the records left says its place, in four bytes.
    public static let sparseBatchBytesMax = 5 << 20
    /// Headers of one record.
    public static let recordHeadersMax = 64
    /// Members of a ring: a coordinator keeps one bit for each in a machine word.
    public static let ringMembersMax = 64
    /// Members that decide the next ring: five take two failures, more only make a decision slower.
    public static let ringAcceptorsMax = 5
    /// Leaves of the Merkle tree of one stretch of the ring.
    public static let treeLeavesMax = 1_024
    /// Virtual nodes of one ring member.
    public static let virtualNodesMax = 1_024
    /// How long a watch may wait for something to tell, in milliseconds.
    public static let watchWaitMsMax: UInt32 = 60_000
    /// Items in one page of a listing.
    public static let scanItemsMax = 1_000
    /// Bytes of one page of a listing, so that large values cannot overrun the frame.
    public static let scanBytesMax = 8 << 20
    /// Producers that are remembered in one partition.
    public static let producersMax = 10_000
    /// Partitions of one topic.
    public static let partitionsMax = 1_024
    /// A name of a cluster, node, topic or group, in bytes of UTF-8.
    public static let nameBytesMax = 255
    /// The text of an error, in bytes.
    public static let detailBytesMax = 1_024
    /// Lists of small things in one message (statistics, members): what a page of text holds.
    public static let listItemsMax = 65_536
    /// Lowest and highest time to live of a key, in milliseconds: one second to ten years.
    public static let ttlMsRange: ClosedRange<UInt64> = 1_000...(3_653 * 86_400_000)
    /// Lowest and highest length of a lease, in milliseconds: one second to one hour.
    public static let leaseMsRange: ClosedRange<UInt64> = 1_000...3_600_000
    /// Bodies at or above this size, in bytes, are compressed when that makes them smaller: below it, LZ4 gains nothing
    /// on records of this kind.
    public static let compressionThresholdBytes = 1_024
}
