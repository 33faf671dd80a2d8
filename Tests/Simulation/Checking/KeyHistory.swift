/// What the clients did with one key, as a history that can be checked.
struct KeyHistory {
    typealias Label = RegisterModel.CellNumber

    /// A history for the search, and where each of its steps comes from.
    struct Prepared {
        var model = RegisterModel()
        var steps: [TimedOperation<RegisterModel.Operation>] = []
        /// Places in `operations`.
        var sources: [Int] = []
        /// An operation that was told of a value after its time had passed by every clock.
        var late: Int?

        fileprivate mutating func add(
            _ step: RegisterModel.Operation, invoked: UInt64, returned: UInt64, _ source: Int
        ) {
            steps.append(TimedOperation(step, invoked: invoked, returned: returned))
            sources.append(source)
        }
    }

    /// In the order of their requests.
    var operations: [ClientOperation] = []

    /// The history for the search. `window` tells between which times, on the scale of the history, clocks pass the expiry
    /// of what an operation has written; its end is `.max` when that is not known.
    ///
    /// A value with an expiry may cease to be from the beginning of its window on, and whoever was told of it was so before
    /// the end.
    func prepared(window: (ClientOperation) -> ClosedRange<UInt64>) -> Prepared {
        var plain = Prepared()
        // Until when a label can be seen: the longest of the lease's own time and those of its renewals.
        var lasting: [Label: UInt64] = [:]
        for (index, operation) in operations.enumerated() {
            guard let step = step(operation) else { continue }
            plain.add(
                step, invoked: operation.invoked,
                returned: operation.outcome == .unknown ? .max : operation.returned, index)
            if let label = operation.renewed { plain.model.labels[operation.number] = label }
            if operation.mayExpire {
                let label = operation.renewed ?? operation.number
                lasting[label] = max(lasting[label] ?? 0, window(operation).upperBound)
            }
        }
        var prepared = Prepared(model: plain.model)
        for (place, deadline) in plain.model.deadlines(plain.steps).enumerated() {
            let index = plain.sources[place]
            let operation = operations[index]
            let step = plain.steps[place]
            guard var deadline else {
                // Nobody has seen its value, but somebody may have seen that nothing is there since it has expired.
                if operation.mayExpire, operation.action != .change(.absent, isDeletion: false) {
                    prepared.add(
                        .write(RegisterModel.absent), invoked: window(operation).lowerBound, returned: .max, index)
                }
                continue
            }
            if step.returned != .max, let label = step.operation.witnessed, let end = lasting[label], end < deadline {
                if end < step.invoked { prepared.late = index }
                deadline = max(end, step.invoked)
            }
            prepared.add(step.operation, invoked: step.invoked, returned: deadline, index)
            if operation.mayExpire {
                prepared.add(.expire(operation.number), invoked: window(operation).lowerBound, returned: .max, index)
            }
        }
        return prepared
    }

    private func step(_ operation: ClientOperation) -> RegisterModel.Operation? {
        switch (operation.action, operation.outcome) {
        case (_, .failed), (.read, .unknown), (.read, .applied), (.read, .refused): nil
        case (.read, .found(let label)): .read(label)
        case (.write, _): .write(operation.cell)
        case (.change(let condition, _), .refused(let found)): .refused(condition, found: found)
        case (.change(let condition, _), _): .change(condition, to: operation.cell)
        case (.renew(let label), .refused(let found)): .refused(.label(label), found: found)
        case (.renew(let label), _): .change(.label(label), to: operation.cell)
        case (.list, _), (.weakRead, _), (.weakWrite, _): nil
        }
    }
}

extension ClientOperation {
    /// The label of the lease that it extends.
    fileprivate var renewed: RegisterModel.CellNumber? {
        if case .renew(let label) = action { label } else { nil }
    }

    /// Whether it may have written something that expires.
    fileprivate var mayExpire: Bool {
        switch outcome {
        case .refused, .failed: false
        default: ttlMs != nil && cell != RegisterModel.absent
        }
    }
}
