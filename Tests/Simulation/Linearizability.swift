/// An operation on one register as its client saw it.
package struct RegisterOperation: Hashable {
    /// What it did and what it was told. Values are numbers; nil is "absent".
    package enum Kind: Hashable {
        /// An overwrite or a deletion.
        case write(Int?)
        /// A read and what it was told.
        case read(Int?)
        /// A compare-and-set that was told it succeeded, or of which nothing is known.
        case compareAndSet(expected: Int?, new: Int)
        /// A compare-and-set that was told what is there instead.
        case refused(expected: Int?, found: Int?)
    }

    /// What was done.
    package let kind: Kind
    /// When it was asked for.
    package let invokedMs: UInt64
    /// When it was answered; `.max` when its outcome is not known: it may take effect at any later time, or never.
    package let returnedMs: UInt64

    /// Puts an operation together.
    package init(kind: Kind, invokedMs: UInt64, returnedMs: UInt64) {
        self.kind = kind
        self.invokedMs = invokedMs
        self.returnedMs = returnedMs
    }
}

/// Whether a history of one register is linearizable: the search of Wing and Gong (1993) with the memory of Lowe (2017).
package enum Linearizability {
    private struct Seen: Hashable {
        let done: [UInt64]
        let state: Int?
    }

    /// A history that is too tangled to decide counts as not holding: the test should then make simpler ones.
    package static func holds(_ history: [RegisterOperation]) -> Bool { verdict(history) == .holds }

    /// What a search has come to.
    package enum Verdict {
        /// There is an order that explains the history.
        case holds
        /// There is none.
        case violated
        /// The search was given up.
        case undecided
    }

    /// Looks for an order of the operations that explains every answer.
    package static func verdict(_ history: [RegisterOperation]) -> Verdict {
        // A write of unknown outcome whose value nobody has seen can be left out: where it stood, nothing looked at it.
        let seenValues = Set(history.flatMap { observed($0.kind) })
        let operations = history.filter { operation in
            guard operation.returnedMs == .max, let value = written(operation.kind) else { return true }
            return seenValues.contains(value)
        }.sorted { $0.invokedMs < $1.invokedMs }
        var done = [UInt64](repeating: 0, count: operations.count / 64 + 1)
        var seen: Set<Seen> = []
        if search(operations, &done, nil, &seen) { return .holds }
        return seen.count < statesMax ? .violated : .undecided
    }

    private static func observed(_ kind: RegisterOperation.Kind) -> [Int] {
        switch kind {
        case .read(let value): [value].compactMap { $0 }
        case .compareAndSet(let expected, _): [expected].compactMap { $0 }
        case .refused(let expected, let found): [expected, found].compactMap { $0 }
        case .write: []
        }
    }

    private static func written(_ kind: RegisterOperation.Kind) -> Int? {
        switch kind {
        case .write(let value): value
        case .compareAndSet(_, let new): new
        default: nil
        }
    }

    /// States looked at before a search is given up; the histories of these tests need a few thousand.
    private static let statesMax = 400_000

    private static func search(
        _ operations: [RegisterOperation], _ done: inout [UInt64], _ state: Int?, _ seen: inout Set<Seen>
    ) -> Bool {
        guard seen.count < statesMax, seen.insert(Seen(done: done, state: state)).inserted else { return false }
        // Nothing that was invoked after another's return may go before it.
        var bound = UInt64.max
        var isWhole = true
        for index in operations.indices where !isDone(done, index) {
            bound = min(bound, operations[index].returnedMs)
            if operations[index].returnedMs != .max { isWhole = false }
        }
        if isWhole { return true }
        for index in operations.indices where !isDone(done, index) {
            guard operations[index].invokedMs <= bound else { break }
            guard let next = apply(operations[index].kind, state) else { continue }
            // Of equal writes whose outcome is not known, the earliest can stand for each: trying them all only repeats.
            if operations[index].returnedMs == .max,
                operations[..<index].indices.contains(where: {
                    !isDone(done, $0) && operations[$0].returnedMs == .max
                        && operations[$0].kind == operations[index].kind
                })
            {
                continue
            }
            done[index / 64] |= 1 << UInt64(index % 64)
            if search(operations, &done, next.state, &seen) { return true }
            done[index / 64] &= ~(1 << UInt64(index % 64))
        }
        return false
    }

    private static func isDone(_ done: [UInt64], _ index: Int) -> Bool {
        done[index / 64] & 1 << UInt64(index % 64) != 0
    }

    private static func apply(_ kind: RegisterOperation.Kind, _ state: Int?) -> (state: Int?, Void)? {
        switch kind {
        case .write(let value): (value, ())
        case .read(let value): value == state ? (state, ()) : nil
        case .compareAndSet(let expected, let new): expected == state ? (new, ()) : nil
        case .refused(let expected, let found): found == state && found != expected ? (state, ()) : nil
        }
    }
}
