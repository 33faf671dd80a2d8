import NodeCore

/// What goes wrong in a scenario.
extension Scenario {
    mutating func drawFaults() {
        var dice = Dice(seed: seed, Self.faultDice)
        // Now and then everything is well: what fails then needs no faults.
        let share = dice.chance(0.03) ? 0 : dice.pick(0.1...0.5)
        let ringShare = dice.chance(0.4) ? dice.pick(0.2...0.7) : 0
        for kind in FaultKind.allCases {
            if dice.chance(kind.changesRing ? ringShare : kind.loses ? share / 2 : share) { kinds.insert(kind) }
        }
        if aim != .nothing {
            kinds = aim.faults.always
            for kind in aim.faults.maybe where dice.chance(0.4) { kinds.insert(kind) }
        }
        if kinds.contains(where: { $0.changesRing }) { spares = dice.pick(1...2) }
        drawWeather(&dice)
        if kinds.contains(.aimedCrashes) {
            let often = isDense ? 10.0 : 1
            crashOnApply = dice.chance(0.5) ? dice.pick(0.0005...0.01) * often : 0
            crashOnAnswer = crashOnApply == 0 || dice.chance(0.3) ? dice.pick(0.002...0.03) * often : 0
            aimedDownMs = dice.chance(0.5) ? 1...30 : 20...500
        }
        if workload == .logs { aimAtLogs(&dice) }
        for kind in FaultKind.allCases { script(kind, &dice) }
        faults.sort { $0.atMs < $1.atMs }
    }

    private mutating func drawWeather(_ dice: inout Dice) {
        let round = limits.roundTimeoutMs
        for kind in FaultKind.allCases where kinds.contains(kind) {
            switch kind {
            case .loss where aim == .promisedPaths: weather.loss = dice.pick(0.1...0.35)
            case .loss where aim == .overwrites: weather.loss = dice.pick(0.25...0.4)
            case .loss: weather.loss = dice.chance(0.8) ? dice.pick(0.005...0.08) : dice.pick(0.08...0.3)
            case .delays:
                weather.delayMs = 1...dice.pick(5...40)
                weather.clientDelayMs = 0...dice.pick(0...20)
            case .lateness:
                weather.lateness = dice.pick(0.002...0.05)
                weather.lateMs =
                    dice.chance(0.3) && limits.operationAgeMaxMs < 10_000
                    ? limits.operationAgeMaxMs / 2...limits.operationAgeMaxMs * 2 : round / 2...round * 4
            case .duplicates where aim == .overwrites: weather.duplication = dice.pick(0.4...0.7)
            case .duplicates: weather.duplication = dice.pick(0.01...0.3)
            case .lateCopies:
                weather.lateCopies = dice.pick(0.005...0.1)
                weather.lateCopyMs = 1...dice.pick(round...max(round + 1, min(limits.operationAgeMaxMs * 2, 5_000)))
            case .outliving: weather.outlivesEnds = true
            case .clientLoss: weather.clientLoss = dice.pick(0.005...0.05)
            default: break
            }
        }
    }

    /// Faults of a kind with their times. Those of the end of a long list may come after the clients are done.
    mutating func script(_ kind: FaultKind, _ dice: inout Dice) {
        let (count, lengthsMs): (ClosedRange<Int>, ClosedRange<UInt64>)
        switch kind {
        case .oneWayCuts, .twoWayCuts: (count, lengthsMs) = (1...8, 5...2_000)
        case .isolation: (count, lengthsMs) = (1...5, 5...1_500)
        case .flaps: (count, lengthsMs) = (1...12, 1...100)
        case .pauses: (count, lengthsMs) = (1...15, 1...limits.operationTimeoutMs)
        case .crashes: (count, lengthsMs) = (1...8, 1...2_000)
        case .clusterCrashes: (count, lengthsMs) = (1...4, 1...200)
        case .fullDisks: (count, lengthsMs) = (1...5, 10...1_000)
        case .slowDisks: (count, lengthsMs) = (1...5, 50...2_000)
        case .clockJumps: (count, lengthsMs) = (1...10, 1...1_000)
        case .wildClocks: (count, lengthsMs) = (1...3, 1...1_500)
        case .falseDeaths: (count, lengthsMs) = (1...6, 10...1_000)
        case .joins, .leaves, .replacements, .factorChanges: (count, lengthsMs) = (1...3, 1...1)
        case .deadReplacements: (count, lengthsMs) = (1...2, 1_000...10_000)
        case .lostDatabases: (count, lengthsMs) = (1...4, 1...1_000)
        case .damagedRegisters: (count, lengthsMs) = (1...6, 1...1)
        default: return
        }
        // Who is to miss a deletion and its grace period must be away for longer.
        let isLong = aim == .collection && [.twoWayCuts, .isolation, .crashes].contains(kind)
        // The dice fall in the same way whether the kind is used or not.
        var own = Dice(seed: dice.number(), Self.faultDice)
        guard kinds.contains(kind) else { return }
        let longestMs = hasShortGrace ? limits.graceMs * (aim == .collection ? 4 : 2) : isDense ? 2_000 : 6_000
        let spanMs = own.pick((isDense ? 50 : 500)...longestMs)
        let drift = Int64(limits.clockDriftMaxMs)
        for _ in 0..<own.pick(count) {
            let node = own.pick(0...allNodes - 1)
            faults.append(
                ScriptedFault(
                    kind: kind, atMs: own.pick(0...spanMs),
                    // Short ones are the more interesting ones.
                    forMs: isLong
                        ? own.pick(limits.graceMs / 2...limits.graceMs * 3)
                        : own.chance(0.5)
                            ? own.pick(lengthsMs) : own.pick(lengthsMs.lowerBound...max(lengthsMs.upperBound / 10, 1)),
                    node: node, other: (node + own.pick(1...allNodes - 1)) % allNodes,
                    amount: kind == .wildClocks
                        ? (own.chance(0.5) ? 1 : -1) * own.pick(drift * 2...drift * 2 + 3_000)
                        : own.pick(-drift / 2...drift / 2)))
        }
    }

    /// Leaves a kind of fault out.
    mutating func leaveOut(_ kind: FaultKind) {
        kinds.remove(kind)
        faults.removeAll { $0.kind == kind }
        let calm = Weather()
        switch kind {
        case .loss: weather.loss = 0
        case .delays: weather.delayMs = calm.delayMs
        case .lateness: weather.lateness = 0
        case .duplicates: weather.duplication = 0
        case .lateCopies: weather.lateCopies = 0
        case .outliving: weather.outlivesEnds = false
        case .clientLoss: weather.clientLoss = 0
        case .skew: skewMs = skewMs.map { _ in 0 }
        case .aimedCrashes: (crashOnApply, crashOnAnswer) = (0, 0)
        case .impatience:
            for client in clients.indices {
                for index in clients[client].indices {
                    clients[client][index].patienceMs = limits.operationTimeoutMs * 2
                }
            }
        default: break
        }
    }
}
