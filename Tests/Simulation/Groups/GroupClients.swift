import NodeCore
import Wire

/// The next thing of members of groups.
enum GroupStep {
    /// A member goes on.
    case goOn(member: Int, turn: Int)
    /// A member waits no longer for an answer.
    case giveUp(request: Int)
    /// A member that stood still takes up an answer; nil when it waited in vain.
    case hear(request: Int, Message?)
}

/// A member of a group and what it is about to do with the one partition that it is after.
struct SimulatedMember {
    /// What it does next, or waits for.
    enum State {
        /// It wants the partition.
        case wanting
        /// It reads the register in order to take it.
        case looking
        /// It has asked for it.
        case taking(GroupLease.Attempt)
        /// Whether it was given it is not known: it looks.
        case doubting(GroupLease.Attempt)
        /// It hands on the records of a range.
        case handling(GroupLease, Range<Offset>)
        /// It writes the register until that is made, or the lease over.
        case writing(GroupLease, Offset?)
        /// It waits for the answer to a write.
        case written(GroupLease, GroupLease.Attempt, Offset?)
        /// It looks at what came of a write.
        case checking(GroupLease, GroupLease.Attempt, Offset?)
        /// It gives the partition back.
        case releasing
        /// An operator in its place reads the register in order to set the position.
        case seeking
        /// The operator has asked for a position.
        case sought(GroupRegister)
    }

    let partition: Int
    let skewMs: Int64
    var dice: Dice
    /// Its name, which no other run of it has.
    var owner: String
    var state = State.wanting
    /// Raised at each step, so that what was planned for an earlier one is passed over.
    var turn = 0
    /// It stands still until then.
    var pausedUntilMs: UInt64 = 0
}

/// A request of a member.
struct GroupRequest {
    let member: Int
    let turn: Int
    let invoked: UInt64
    var isAnswered = false
}

/// All members of groups, and what they know.
struct GroupClients {
    /// The numbers of their requests.
    static let numbers = 1 << 22..<1 << 24

    var keys: [Key] = []
    var histories: [GroupHistory] = []
    var members: [SimulatedMember] = []
    var requests: [GroupRequest] = []
    var runs = 0
    var endsMs: UInt64 = 0
}
