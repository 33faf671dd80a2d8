/// A register whose cells are numbered by the operations that wrote them.
package struct RegisterModel: SequentialModel {
    /// What is in the register: the number of a cell, or `absent`.
    package typealias CellNumber = Int32

    /// Nothing: never written, deleted or expired.
    package static let absent: CellNumber = 0

    /// What a change depends on.
    package enum Condition: Hashable {
        /// There is nothing.
        case absent
        /// There is a cell of this label.
        case label(CellNumber)
    }

    /// What an operation did and what it was told. Clients tell cells apart by their labels: the number of the cell, or of
    /// the one that it renews.
    package enum Operation: Hashable {
        /// Writes a cell, or removes what is there.
        case write(CellNumber)
        /// Finds a label, or nothing.
        case read(CellNumber)
        /// A change whose condition held, or of which nothing is known.
        case change(Condition, to: CellNumber)
        /// A change whose condition did not hold, and what it was told is there.
        case refused(Condition, found: CellNumber)
        /// The time of a cell that is still there has passed.
        case expire(CellNumber)
    }

    /// Labels that differ from the number of the cell: those of renewals.
    package var labels: [CellNumber: CellNumber] = [:]

    /// A register without renewals.
    package init() {}

    /// Nothing.
    package var initial: CellNumber { Self.absent }

    /// One operation after another.
    package func apply(_ operation: Operation, to state: CellNumber) -> CellNumber? {
        switch operation {
        case .write(let cell): cell
        case .read(let found): label(state) == found ? state : nil
        case .change(let condition, let cell): holds(condition, state) ? cell : nil
        case .refused(let condition, let found):
            !holds(condition, state) && label(state) == found ? state : nil
        case .expire(let cell): state == cell ? Self.absent : nil
        }
    }

    private func label(_ cell: CellNumber) -> CellNumber { labels.isEmpty ? cell : labels[cell] ?? cell }

    private func holds(_ condition: Condition, _ state: CellNumber) -> Bool {
        switch condition {
        case .absent: state == Self.absent
        case .label(let wanted): state != Self.absent && label(state) == wanted
        }
    }
}

extension RegisterModel {
    /// For each operation the time by which it was done, if it was done at all: nil when it can be left out of the history.
    ///
    /// Operations of unknown outcome make a search long, and most can be bounded. What has written a cell that somebody was
    /// told of was done before. What has written a cell that nobody was told of can be left out: where it stood, nothing
    /// looked at it.
    package func deadlines(_ steps: [TimedOperation<Operation>]) -> [UInt64?] {
        var writers: [CellNumber: Int] = [:]
        for step in steps { if let cell = step.operation.written { writers[cell, default: 0] += 1 } }
        var sightings: [CellNumber: UInt64] = [:]
        var unknown: [(cell: CellNumber, basis: CellNumber)] = []
        for step in steps {
            guard let seen = step.operation.witnessed else { continue }
            if step.returned != .max {
                sightings[seen] = min(sightings[seen] ?? .max, step.returned)
            } else if let cell = step.operation.written, labels[cell] == nil {
                unknown.append((cell, seen))
            }
        }
        // A change that was founded on a cell, and was seen itself, shows that cell too.
        var isDone = false
        while !isDone {
            isDone = true
            for (cell, basis) in unknown where writers[cell] == 1 {
                guard let seen = sightings[cell], seen < sightings[basis] ?? .max else { continue }
                sightings[basis] = seen
                isDone = false
            }
        }
        let seenAtAll = Set(sightings.keys).union(unknown.map(\.basis))
        return steps.map { step in
            guard step.returned == .max, let cell = step.operation.written, labels[cell] == nil else {
                return step.returned
            }
            guard writers[cell] == 1 else { return seenAtAll.contains(cell) ? .max : nil }
            return sightings[cell]
        }
    }
}

extension RegisterModel.Operation {
    /// The cell that it leaves there, other than none.
    fileprivate var written: RegisterModel.CellNumber? {
        switch self {
        case .write(let cell), .change(_, to: let cell): cell == RegisterModel.absent ? nil : cell
        default: nil
        }
    }

    /// The label that was there, as its answer tells.
    var witnessed: RegisterModel.CellNumber? {
        switch self {
        case .read(let found), .refused(_, let found): found == RegisterModel.absent ? nil : found
        case .change(.label(let label), _): label
        default: nil
        }
    }
}
