import Wire

/// What becomes of operations when time passes, when a node is lost, and when the ring changes.
extension Node {
    /// Ends what is past its time, and goes on with what waited for a moment.
    mutating func tickOperations() {
        for slot in operations.indices {
            guard let id = operations.id(at: slot) else { continue }
            if time.monotonicMs >= operations[id].deadlineMs {
                expire(id)
                continue
            }
            switch operations[id].phase {
            case .pausing(let until, let purpose) where time.monotonicMs >= until: resume(id, purpose)
            case .pausing(.max, _) where operations[id].versions.isEmpty:
                // It waits for a ballot, which needs the disk; another node can do it now.
                guard let reason = store.readOnlyReason else { continue }
                finish(id, .failed(.readOnly, "\(identity.name) takes no writes: \(reason)"))
            case .reading where time.monotonicMs >= operations[id].roundStartedMs + limits.readHedgeMs: hedge(id)
            case .accepting, .preparing, .writingBack, .sounding, .lingering:
                // Round trips longer than the timeout would never be answered in time.
                let patienceMs = limits.roundTimeoutMs << UInt64(min(operations[id].attempts, 2))
                guard time.monotonicMs >= operations[id].roundStartedMs + patienceMs else { continue }
                operations[id].answered |= operations[id].asked
                advance(id)
            default: break
            }
        }
    }

    /// Goes on with what a pause was before.
    mutating func resume(_ id: OperationID, _ purpose: Operation.Purpose) {
        if case .restart = purpose { run(id) } else { prepare(id, purpose) }
    }

    private mutating func expire(_ id: OperationID) {
        if case .lingering = operations[id].phase {
            operations[id].answered |= operations[id].asked
            lingerOn(id)
        } else if operations[id].versions.isEmpty {
            refuseUnreachable(id)
        } else {
            finishUnknown(id, "no quorum answered within \(limits.operationTimeoutMs) ms")
        }
    }

    /// What was in flight to a node is lost.
    mutating func operationsLost(_ node: NodeID) {
        for slot in operations.indices {
            guard let id = operations.id(at: slot), let index = operations[id].replicas.firstIndex(of: node) else {
                continue
            }
            let bit: UInt64 = 1 << index
            guard operations[id].asked & bit != 0, operations[id].answered & bit == 0 else { continue }
            operations[id].answered |= bit
            operations[id].failure =
                operations[id].failure ?? (.noQuorum, "the connection to \(name(of: node)) was lost")
            if case .reading = operations[id].phase { hedge(id) }
            if operations.contains(id) { advance(id) }
        }
    }

    /// Another epoch is in force: what was asked under the former one counts no more, and every operation begins its
    /// round anew among the replicas of now.
    mutating func operationsRestart() {
        for slot in operations.indices {
            guard let id = operations.id(at: slot) else { continue }
            if case .lingering = operations[id].phase {
                operations[id].answered |= operations[id].asked
                lingerOn(id)
                continue
            }
            switch operations[id].goal {
            case .gather:
                finish(id, .failed(.staleEpoch, "the ring has changed meanwhile"))
                continue
            case .scan(_): if let ring { operations[id].replicaSet = scanSet(ring) }
            default:
                if RingRegister.isOne(operations[id].key) {
                    finish(id, .failed(.staleEpoch, "the ring of this epoch has been decided"))
                    continue
                }
                operations[id].replicaSet = replicaSet(of: operations[id].key)
            }
            switch operations[id].phase {
            case .queued, .pausing, .lingering, .hinting: break
            case .preparing(let purpose):
                // An answer to the old round must find nothing.
                operations[id].round = operations.nextRound(of: id)
                operations[id].phase = .pausing(untilMs: time.monotonicMs, purpose)
            case .writingBack:
                operations[id].round = operations.nextRound(of: id)
                operations[id].phase = .pausing(untilMs: time.monotonicMs, .read)
            case .sounding, .reading, .accepting, .scanning, .gathering:
                operations[id].round = operations.nextRound(of: id)
                operations[id].phase = .pausing(untilMs: time.monotonicMs, purposeAnew(id))
            }
        }
    }
}
