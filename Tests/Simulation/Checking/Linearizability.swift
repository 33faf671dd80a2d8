import Membership

/// An operation as its client saw it.
package struct TimedOperation<Operation> {
    /// What was done and what was answered.
    package var operation: Operation
    /// When it was asked for. All times of a history are on one scale, which only has to be ordered.
    package var invoked: UInt64
    /// When it was answered; `.max` when its outcome is not known: it may take effect at any later time, or never.
    package var returned: UInt64

    /// Puts an operation together.
    package init(_ operation: Operation, invoked: UInt64, returned: UInt64) {
        self.operation = operation
        self.invoked = invoked
        self.returned = returned
    }
}

/// What an object does when its operations come one after the other.
package protocol SequentialModel {
    /// An operation with its answer.
    associatedtype Operation: Hashable
    /// Everything that later answers depend on.
    associatedtype State: Hashable

    /// The state before all operations.
    var initial: State { get }

    /// The state after an operation, or nil when its answer is not possible in `state`.
    func apply(_ operation: Operation, to state: State) -> State?
}

/// Whether a history of one object is linearizable: the search of Wing and Gong (1993), as a loop over a list of calls and
/// returns from which what is done is taken out, with the memory of Lowe (2017): a set of done operations that has led to
/// a state once is not looked at again.
package enum Linearizability {
    /// What a search has come to.
    package enum Verdict: Hashable {
        /// There is an order that explains every answer.
        case holds
        /// There is none; the operation at this place of the history is the first that no order gets past.
        case violated(at: Int)
        /// The search was given up: too many operations at one time.
        case undecided
    }

    /// Looks for an order of the operations that explains every answer. Gives up after `statesMax` states.
    package static func check<Model: SequentialModel>(
        _ model: Model, _ history: [TimedOperation<Model.Operation>], statesMax: Int = 1_000_000
    ) -> Verdict {
        var search = Search(model: model, history: history, statesMax: statesMax)
        return search.run()
    }
}

private struct Search<Model: SequentialModel> {
    /// What has been looked at. The done operations are folded into 128 bits, each operation standing for random ones: that
    /// two sets of one history fall together is less likely than a broken processor.
    private struct Seen: Hashable {
        var a: UInt64 = 0
        var b: UInt64 = 0
        var state: Model.State
    }

    /// A call or a return in the list of what is not done, ordered by time.
    private struct Entry {
        let operation: Int
        let isCall: Bool
        /// The place of the return that belongs to a call; -1 for none.
        var partner = -1
        var previous = -1
        var next = -1
    }

    private let model: Model
    private let operations: [Model.Operation]
    private let statesMax: Int
    private var entries: [Entry]
    /// For an operation of unknown outcome, the one before it that is just the same: they can be taken in this order.
    private var twin: [Int]
    private let marks: [(a: UInt64, b: UInt64)]
    private var returnsLeft: Int

    init(model: Model, history: [TimedOperation<Model.Operation>], statesMax: Int) {
        self.model = model
        self.statesMax = statesMax
        operations = history.map(\.operation)
        var random = SplitMix64(seed: 1)
        marks = history.map { _ in (random.next(), random.next()) }

        // At one time calls come before returns: such operations count as overlapping.
        var points: [(time: UInt64, isReturn: Bool, operation: Int)] = []
        points.reserveCapacity(2 * history.count)
        twin = [Int](repeating: -1, count: history.count)
        var lastAlike: [Model.Operation: Int] = [:]
        for index in history.indices.sorted(by: { (history[$0].invoked, $0) < (history[$1].invoked, $1) }) {
            points.append((history[index].invoked, false, index))
            if history[index].returned != .max {
                points.append((history[index].returned, true, index))
            } else {
                twin[index] = lastAlike.updateValue(index, forKey: history[index].operation) ?? -1
            }
        }
        points.sort { ($0.time, $0.isReturn ? 1 : 0, $0.operation) < ($1.time, $1.isReturn ? 1 : 0, $1.operation) }
        // Entry 0 is the head of the list.
        entries = [Entry(operation: -1, isCall: false)]
        entries.reserveCapacity(points.count + 1)
        var callOf = [Int](repeating: -1, count: history.count)
        for (index, point) in points.enumerated() {
            var entry = Entry(operation: point.operation, isCall: !point.isReturn)
            entry.previous = index
            entry.next = index + 1 < points.count ? index + 2 : -1
            entries.append(entry)
            if point.isReturn {
                entries[callOf[point.operation]].partner = index + 1
            } else {
                callOf[point.operation] = index + 1
            }
        }
        entries[0].next = points.isEmpty ? -1 : 1
        returnsLeft = history.count { $0.returned != .max }
    }

    mutating func run() -> Linearizability.Verdict {
        var done = [Bool](repeating: false, count: operations.count)
        var position = Seen(state: model.initial)
        var seen: Set<Seen> = [position]
        var path: [(call: Int, before: Model.State)] = []
        var entry = entries[0].next
        var farthest = (returnsLeft: Int.max, operation: -1)
        while returnsLeft > 0 {
            let operation = entry >= 0 ? entries[entry].operation : -1
            if entry >= 0, entries[entry].isCall {
                let isFirstOfTwins = twin[operation] < 0 || done[twin[operation]]
                if isFirstOfTwins, let state = model.apply(operations[operation], to: position.state),
                    // What may never have been done, and changes nothing here, need not be done here.
                    entries[entry].partner >= 0 || state != position.state
                {
                    var next = position
                    next.a ^= marks[operation].a
                    next.b ^= marks[operation].b
                    next.state = state
                    if seen.insert(next).inserted {
                        if seen.count > statesMax { return .undecided }
                        path.append((entry, position.state))
                        position = next
                        done[operation] = true
                        takeOut(entry)
                        entry = entries[0].next
                        continue
                    }
                }
                entry = entries[entry].next
                continue
            }
            // A return, or the end: what is behind it cannot come before it.
            if returnsLeft < farthest.returnsLeft { farthest = (returnsLeft, operation) }
            guard let (call, before) = path.popLast() else { return .violated(at: farthest.operation) }
            let undone = entries[call].operation
            position.a ^= marks[undone].a
            position.b ^= marks[undone].b
            position.state = before
            done[undone] = false
            putBack(call)
            entry = entries[call].next
        }
        return .holds
    }

    private mutating func takeOut(_ call: Int) {
        unlink(call)
        guard entries[call].partner >= 0 else { return }
        unlink(entries[call].partner)
        returnsLeft -= 1
    }

    private mutating func putBack(_ call: Int) {
        if entries[call].partner >= 0 {
            link(entries[call].partner)
            returnsLeft += 1
        }
        link(call)
    }

    private mutating func unlink(_ entry: Int) {
        let (previous, next) = (entries[entry].previous, entries[entry].next)
        entries[previous].next = next
        if next >= 0 { entries[next].previous = previous }
    }

    private mutating func link(_ entry: Int) {
        let (previous, next) = (entries[entry].previous, entries[entry].next)
        entries[previous].next = entry
        if next >= 0 { entries[next].previous = entry }
    }
}
