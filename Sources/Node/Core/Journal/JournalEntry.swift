package import Wire

/// The number of an entry in a node's journal; grows by one with every entry of one run of the node.
package struct JournalSequence: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// 0 is before the first entry of this run.
    package let rawValue: UInt64

    /// Wraps a number.
    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    /// Before the first entry: everything found at start is durable.
    package static let start = JournalSequence(0)

    /// Later entries are greater; an entry is durable only when all before it are.
    package static func < (a: JournalSequence, b: JournalSequence) -> Bool { a.rawValue < b.rawValue }

    /// The decimal number.
    package var description: String { String(rawValue) }
}

/// One change of what a node must remember. All changes of a node go through its one journal, in order.
package enum JournalEntry: Hashable, Sendable {
    /// The acceptor's whole new state of a key.
    case register(Key, RegisterState)
    /// A key's state is forgotten, as if it had never been heard of.
    case forget(Key)
    /// A fact about the node itself; replaces the former one of the same name.
    case fact(NodeFact, [UInt8])
    /// Batches at the end of a partition's log; the first one begins at its end.
    case append(PartitionID, [RecordBatch])
    /// Batches of a partition's log without the records that compaction has taken, each in the place of the one that has
    /// the same ends and epoch. One that finds none is passed over.
    case compact(PartitionID, [RecordBatch])
    /// Everything from `from` on is cut off a partition's log.
    case truncate(PartitionID, from: Offset)
    /// A log's own state, without its batches. Also creates the log.
    case log(PartitionID, LogFacts)
    /// Positions of producers that no batch of a partition's log tells of.
    case producers(PartitionID, [ProducerPosition])
    /// A partition's log goes, with its batches.
    case remove(PartitionID)
    /// A partition's log goes, with its batches, and an empty one takes its place: never the one without the other, since a
    /// log that is begun anew after a loss could pass for the one that was given up.
    case renew(PartitionID, LogFacts)
}

/// What a node remembers of itself. The numbers are on disk and never change their meaning.
package enum NodeFact: UInt8, Sendable, Hashable, CaseIterable {
    /// The ballot ceiling: no ballot above it was given out by earlier runs. Eight bytes, a hybrid time.
    case ballotCeiling = 1
    /// The ring in force.
    case ring = 2
    /// The ring of epoch 1 that this node voted for as a founder.
    case foundingVote = 3
    /// Addresses of the other nodes, so that a restart finds them when the seeds are gone.
    case peers = 4
    /// Why the node's registers and logs were lost and have to be fetched from the others; see `Amnesia`.
    case amnesia = 5
    /// How far the copying of a joint epoch is.
    case copying = 6
    /// A ballot that counts as promised for every key, since promises were lost.
    case promiseFloor = 7
    /// How often the node lost its logs; see `LogLosses`.
    case logsLost = 8
}

/// What a replica remembers of its log of a partition beside the batches.
package struct LogFacts: Hashable, Sendable {
    /// The identity of this copy; a replica that lost its log takes a new one.
    package var logID: LogID
    /// The highest epoch heard of; nothing of a lower one is taken any more.
    package var epoch: LogEpoch
    /// The high watermark as last heard; a hint for after a restart, never a bound for truncation.
    package var highWatermark: Offset
    /// The first offset left; records below are gone by retention.
    package var firstOffset: Offset

    /// Puts the facts together.
    package init(logID: LogID, epoch: LogEpoch, highWatermark: Offset, firstOffset: Offset) {
        self.logID = logID
        self.epoch = epoch
        self.highWatermark = highWatermark
        self.firstOffset = firstOffset
    }
}

/// Where an epoch begins in a log: all batches from `start` up to the next entry's start have this epoch.
package struct EpochStart: Hashable, Sendable {
    /// The epoch of the batches.
    package var epoch: LogEpoch
    /// Base offset of the first of them.
    package var start: Offset

    /// Pairs the two.
    package init(epoch: LogEpoch, start: Offset) {
        self.epoch = epoch
        self.start = start
    }
}

/// A log as found at start.
package struct RecoveredLog: Hashable, Sendable {
    /// Of which partition.
    package var partition: PartitionID
    /// Its facts.
    package var facts: LogFacts
    /// The offset behind its last batch.
    package var endOffset: Offset
    /// Where its epochs begin, in order; empty for an empty log.
    package var epochs: [EpochStart]
    /// Bytes of its batches.
    package var bytes: UInt64
    /// When its last batch was appended by the primary, in milliseconds since 1970; 0 when it never had one.
    package var appendedMs: UInt64
    /// The last batches of each producer.
    package var producers: ProducerTable

    /// Puts a log together.
    package init(
        partition: PartitionID, facts: LogFacts, endOffset: Offset, epochs: [EpochStart], bytes: UInt64,
        appendedMs: UInt64, producers: ProducerTable
    ) {
        self.partition = partition
        self.facts = facts
        self.endOffset = endOffset
        self.epochs = epochs
        self.bytes = bytes
        self.appendedMs = appendedMs
        self.producers = producers
    }
}
