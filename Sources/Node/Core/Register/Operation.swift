import DequeModule
import Wire

/// Who waits for an operation's result.
enum OperationOrigin {
    /// A client of this node.
    case client(ChannelID, RequestID)
    /// A listing that settles one of its keys: the operation, its round, and the place in its page.
    case scan(OperationID, round: UInt32, item: Int)
    /// A partition that reads or changes its configuration.
    case partition(PartitionID, PartitionStep)
    /// A topic being created or described.
    case topic(ProcedureID, step: Int)
    /// A topic whose partitions are led here, and that may be gone.
    case topicReview(TopicID)
    /// Where the replicas of partitions are, and where they should be.
    case balance(Balancing.Step)
    /// A change of the ring.
    case ring(RingStep)
    /// A page that is copied, of a run of the copying.
    case copyPage(CopyPurpose, UInt64)
    /// A key of that page whose copies differ.
    case copyKey(CopyPurpose, UInt64, Key)
    /// A page of a listing that begins a watch.
    case watchPage(WatchPage)
    /// A changed key of a watched prefix.
    case watchKey([UInt8], Key)
    /// The members that are to tell their changes under a prefix.
    case watchSubscribe([UInt8])
    /// A hint that is being delivered, by the place where it is kept.
    case hint(Key)
    /// A replica's tree of a stretch that is compared.
    case repairTree(UInt64, NodeID)
    /// The other replicas' registers of a stretch that differs.
    case repairPage(UInt64)
    /// A register that differs.
    case repairKey(UInt64)
    /// All replicas' word on cells that could be dropped.
    case repairCollect(UInt64)
    /// A damaged register that is mended under a ballot.
    case mend(Key, Ballot)
    /// Nobody.
    case nobody
}

/// What an operation came to.
enum OperationResult {
    /// The newest cell and the ballot under which a majority has it; its expiry has not been judged.
    case read(AcceptedCell?)
    case written(WriteAnswer)
    case scanned(ScanAnswer)
    /// What the asked nodes have answered, by their place among those asked.
    case gathered([Message?])
    case failed(ErrorCode, String)
}

/// The place of an operation in the table, with the generation of its use.
struct OperationID: Hashable {
    let slot: Int
    let generation: UInt64
}

/// A register operation that this node coordinates. A class: the table holds the only lasting reference, and rounds
/// change it in place.
final class Operation {
    /// What is wanted.
    enum Goal {
        case read(Consistency)
        case write(RegisterChange, Consistency)
        case scan(ScanRequest)
        /// Reads surely, and counts a cell that a hint has kept as one more copy.
        case deliver(Cell)
        /// Reads surely, and counts a copy that a replica was seen to have, whether that one is among those that answer or
        /// not: else it would be passed over whenever the others are faster.
        case settle(AcceptedCell)
        /// Asks nodes one question and hands their answers on.
        case gather(Message, ReplicaSet)

        /// What the operation brings to be proposed without having been promised it: only a higher ballot may carry it.
        var newestKnown: Ballot? {
            switch self {
            case .deliver(let kept): kept.version
            case .settle(let seen): seen.ballot
            case .read, .write, .scan, .gather: nil
            }
        }
    }

    /// Why a ballot is being prepared.
    enum Purpose {
        /// To change the newest cell.
        case change
        /// To find out what became of versions proposed before.
        case resolve
        /// To read surely: after a write-back was refused, or since it was asked for.
        case read
        /// From the beginning: nothing has been proposed yet.
        case restart
    }

    /// What follows once a quorum has accepted.
    enum Commit {
        /// The operation's own new cell: done.
        case ownWrite
        /// The newest cell, unchanged; then this is the result.
        case then(OperationResult)
    }

    /// Where it stands.
    enum Phase {
        /// Behind other operations on its key.
        case queued
        /// Asks a majority for the highest ballot, before it writes a key that others write too.
        case sounding
        /// Waits for copies.
        case reading
        /// Writes the newest copy back to those that lack it.
        case writingBack(AcceptedCell)
        /// Waits for promises.
        case preparing(Purpose)
        /// Waits for acceptances.
        case accepting(Commit)
        /// Waits for a moment before the next attempt.
        case pausing(untilMs: UInt64, Purpose)
        /// Waits for pages, then for its unsettled keys.
        case scanning
        /// Waits for answers to hand on.
        case gathering
        /// No replica has taken it; it is answered when its hints are durable.
        case hinting
        /// It has been answered; the last replicas' acknowledgements may still come.
        case lingering
    }

    let id: OperationID
    let key: Key
    let goal: Goal
    let origin: OperationOrigin
    let deadlineMs: UInt64
    let startedMs: UInt64
    var phase: Phase = .queued
    /// Who is asked.
    var replicaSet: ReplicaSet
    /// The present round, numbered through all operations that use the slot.
    var round: UInt32 = 0
    var roundStartedMs: UInt64 = 0
    var attempts = 0
    /// The ballot of the present round, and the cell it proposes.
    var ballot = Ballot.zero
    var proposal: Cell?
    /// The later ballot that the round asks the replicas to promise along; zero for none.
    var nextBallot = Ballot.zero
    /// All versions that this operation has proposed.
    var versions: [Ballot] = []
    /// Whether a majority told its highest ballot before the first version was made.
    var hasSounded = false
    /// The milliseconds by which expiry is judged.
    var stampMs: UInt64 = 0
    /// Greatest hybrid time of the answers of this round, in milliseconds.
    var answeredMs: UInt64 = 0

    // The answers of the present round, one bit for each replica.
    var asked: UInt64 = 0
    var answered: UInt64 = 0
    var yes: UInt64 = 0
    var definite: UInt64 = 0
    /// Who states that the next ballot is promised.
    var promisedNext: UInt64 = 0
    /// Who has a later cell than the one proposed.
    var passed: UInt64 = 0
    var newest: AcceptedCell?
    /// Who holds `newest`.
    var holders: UInt64 = 0
    /// Greatest ballot seen in refusals.
    var seen = Ballot.zero
    var failure: (ErrorCode, String)?
    /// The state of a listing.
    var listing: Listing?
    /// The answers that are gathered.
    var gathered: [Message?] = []

    init(
        id: OperationID, key: Key, goal: Goal, origin: OperationOrigin, set: ReplicaSet, startedMs: UInt64,
        deadlineMs: UInt64
    ) {
        self.id = id
        self.key = key
        self.goal = goal
        self.origin = origin
        self.replicaSet = set
        self.startedMs = startedMs
        self.deadlineMs = deadlineMs
    }

    /// Who is asked, in order.
    var replicas: [NodeID] { replicaSet.nodes }

    /// Whether these replicas are enough for the present round. A conditional change is true at a majority only, whatever
    /// was asked for.
    func isEnough(_ bits: UInt64) -> Bool {
        guard case .write(let change, let consistency) = goal, case .accepting(.ownWrite) = phase else {
            return replicaSet.isQuorum(bits)
        }
        switch consistency {
        case .one, .any: return change.isConditional ? replicaSet.isQuorum(bits) : bits != 0
        case .all: return bits == replicaSet.all
        default: return replicaSet.isQuorum(bits)
        }
    }

    /// Whether it is a put that one copy is enough for; it has no order among other writes to keep.
    var needsOneCopy: Bool {
        guard case .write(let change, let consistency) = goal else { return false }
        return (consistency == .one || consistency == .any) && !change.isConditional
    }

    /// Whether a durable hint counts as a copy.
    var takesHints: Bool {
        guard case .write(_, .any) = goal else { return false }
        return needsOneCopy
    }

    /// Replicas that were asked and have not answered.
    var outstanding: UInt64 { asked & ~answered }

    /// Whether it depends on what is there.
    var isConditional: Bool {
        guard case .write(let change, _) = goal else { return false }
        return change.isConditional
    }

    /// Whether a listing tells deletions too.
    var listsTombstones: Bool {
        if case .watchPage = origin { return true }
        return false
    }

    /// Whether it only reads, so that others that read may run beside it.
    var isRead: Bool {
        if case .read = goal { true } else { false }
    }
}

/// The operations in flight, in a table whose slots are used again.
///
/// An answer finds its operation by its request id alone: fourteen bits of slot and eighteen bits that number the rounds
/// of all operations that the slot ever had. A replica that was held up answers late, and its answer must not be taken
/// for one to a later operation, perhaps on another key; so a number comes back only after many rounds: slots are used
/// in turn, at least `turnSlots` of them, which makes 268 million rounds.
struct OperationTable {
    private var slots: [Operation?] = []
    private var generations: [UInt64] = []
    private var rounds: [UInt32] = []
    private var free: Deque<Int> = []
    private(set) var count = 0

    // Few enough to look through at every tick.
    private static let turnSlots = 1_024
    private static let roundBits: UInt32 = 18
    private static let roundMask: UInt32 = 1 << roundBits - 1

    /// Operations at a time whose slots have a number on the wire.
    static let slotsMax = 1 << (32 - Int(roundBits))

    /// Slots to look through.
    var indices: Range<Int> { slots.indices }

    /// The id that the next operation gets.
    mutating func nextID() -> OperationID {
        if slots.count >= Self.turnSlots, let slot = free.popFirst() {
            return OperationID(slot: slot, generation: generations[slot])
        }
        slots.append(nil)
        generations.append(0)
        rounds.append(0)
        return OperationID(slot: slots.count - 1, generation: 0)
    }

    mutating func insert(_ operation: Operation) {
        slots[operation.id.slot] = operation
        count += 1
    }

    mutating func remove(_ id: OperationID) {
        guard slots[id.slot] != nil else { return }
        slots[id.slot] = nil
        generations[id.slot] += 1
        free.append(id.slot)
        count -= 1
    }

    func contains(_ id: OperationID) -> Bool {
        slots.indices.contains(id.slot) && slots[id.slot] != nil && generations[id.slot] == id.generation
    }

    /// The operation in a slot, if any.
    func id(at slot: Int) -> OperationID? {
        slots[slot] == nil ? nil : OperationID(slot: slot, generation: generations[slot])
    }

    /// Numbers the next round of the operation in a slot. Never 0, which would make the request a one-way frame.
    mutating func nextRound(of id: OperationID) -> UInt32 {
        rounds[id.slot] = rounds[id.slot] == Self.roundMask ? 1 : rounds[id.slot] + 1
        return rounds[id.slot]
    }

    /// The request id of a round.
    func requestID(_ id: OperationID, round: UInt32) -> RequestID {
        RequestID(UInt32(id.slot) << Self.roundBits | round)
    }

    /// The operation whose present round a request id names.
    func find(_ request: RequestID) -> OperationID? {
        let slot = Int(request.rawValue >> Self.roundBits)
        guard slots.indices.contains(slot), let operation = slots[slot],
            operation.round == request.rawValue & Self.roundMask
        else { return nil }
        return operation.id
    }

    /// An operation that is in the table.
    subscript(id: OperationID) -> Operation {
        guard contains(id), let operation = slots[id.slot] else {
            preconditionFailure("operation \(id) is not in flight: ids are only used while `contains` holds")
        }
        return operation
    }
}
