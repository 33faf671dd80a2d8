/// An operation on one register as its client saw it, for histories whose values are numbers.
package struct RegisterOperation: Hashable {
    /// What it did and what it was told. Nil is "absent".
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
    /// When it was asked for. Times are all on one scale, in any unit.
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

extension Linearizability {
    /// A history that is too tangled to decide counts as not holding: the test should then make simpler ones.
    package static func holds(_ history: [RegisterOperation]) -> Bool { verdict(history) == .holds }

    /// Looks for an order of the operations that explains every answer.
    package static func verdict(_ history: [RegisterOperation]) -> Verdict {
        let model = RegisterModel()
        var cells: [Int: RegisterModel.CellNumber] = [:]
        func cell(_ value: Int?) -> RegisterModel.CellNumber {
            guard let value else { return RegisterModel.absent }
            if let known = cells[value] { return known }
            cells[value] = RegisterModel.CellNumber(cells.count + 1)
            return RegisterModel.CellNumber(cells.count)
        }
        func condition(_ value: Int?) -> RegisterModel.Condition { value == nil ? .absent : .label(cell(value)) }
        let steps = history.map { operation in
            let step: RegisterModel.Operation =
                switch operation.kind {
                case .write(let value): .write(cell(value))
                case .read(let value): .read(cell(value))
                case .compareAndSet(let expected, let new): .change(condition(expected), to: cell(new))
                case .refused(let expected, let found): .refused(condition(expected), found: cell(found))
                }
            return TimedOperation(step, invoked: operation.invokedMs, returned: operation.returnedMs)
        }
        var kept: [Int] = []
        var bounded: [TimedOperation<RegisterModel.Operation>] = []
        for (index, deadline) in model.deadlines(steps).enumerated() {
            guard let deadline else { continue }
            kept.append(index)
            bounded.append(TimedOperation(steps[index].operation, invoked: steps[index].invoked, returned: deadline))
        }
        switch check(model, bounded) {
        case .violated(let at): return .violated(at: kept[at])
        case let verdict: return verdict
        }
    }
}
