import NodeCore
import Wire

/// Scenarios whose clients use topics.
extension Scenario {
    // What dice are for, beside those of registers.
    static let logDice: UInt64 = 7
    static let logClientDice: UInt64 = 8
    static let logAimDice: UInt64 = 9

    /// What it is aimed at.
    private var logAim: LogAim {
        var dice = Dice(seed: seed, Self.logAimDice)
        return dice.pick([(.anything, weight: 3), (.returns, weight: 1), (.sets, weight: 1)]) ?? .anything
    }

    /// Draws a cluster with times so short that reigns begin and end all the time.
    mutating func drawLogCluster() {
        var dice = Dice(seed: seed, Self.clusterDice)
        isDense = dice.chance(0.6)
        nodes = dice.pick([(3, weight: 7), (4, weight: 3)]) ?? 3
        limits.virtualNodes = 2
        limits.roundTimeoutMs = dice.pick(20...100)
        limits.operationTimeoutMs = dice.pick(150...700)
        limits.readHedgeMs = dice.pick(5...20)
        limits.retryPauseMaxMs = dice.pick(4...64)
        limits.ballotCeilingLeadMs = dice.pick(40...300)
        limits.operationAgeMaxMs = dice.pick(1_000...3_000)
        limits.clockDriftMaxMs = dice.pick(20...200)
        limits.hintRetryPauseMs = 100
        limits.hintLookMs = 100
        limits.repairRetryPauseMs = 100
        limits.treeTimeoutMs = 1_000
        limits.mendRetryPauseMaxMs = 500
        limits.appendHeartbeatMs = dice.pick(10...60)
        // Who answers every heartbeat must not fall out.
        limits.inSyncTimeoutMs = limits.appendHeartbeatMs * 2 + dice.pick(20...200)
        limits.appendResendMs = dice.pick(20...200)
        limits.appendBytesMax = dice.pick([(1, weight: 2), (300, weight: 1), (1 << 20, weight: 2)]) ?? 1
        limits.appendWindowBytes = dice.pick([(1, weight: 1), (500, weight: 1), (8 << 20, weight: 3)]) ?? 1
        limits.catchUpBytesPerSecond = dice.pick([(3_000, weight: 1), (64 << 20, weight: 3)]) ?? 3_000
        limits.producesWaitingMax = dice.pick([(4, weight: 1), (4_096, weight: 3)]) ?? 4
        limits.electionTurnMs = dice.pick(10...200)
        limits.resignPauseMs = dice.pick(20...600)
        if dice.chance(0.5) { limits.preferredPrimaryMs = dice.pick(100...2_000) }
        limits.topicReviewMs = dice.pick(50...600)
        limits.balanceIntervalMs = dice.chance(0.5) ? dice.pick(100...2_000) : 0
        limits.unseenMemberMs = dice.pick(200...1_500)
        deathNoticedMs = dice.chance(0.7) ? 5...dice.pick(20...300) : 200...1_500
        weather.delayMs = 1...dice.pick(2...8)
        weather.clientDelayMs = 0...dice.pick(0...3)
        weather.noticeMs = 0...dice.pick(0...5)
        syncMs = 1...(dice.pick([(1, weight: 2), (3, weight: 2), (15, weight: 1)]) ?? 1)
        switch logAim {
        case .anything: break
        case .returns:
            (nodes, isDense) = (3, true)
            limits.preferredPrimaryMs = dice.pick(10...200)
            limits.resignPauseMs = dice.pick(10...50)
            limits.electionTurnMs = 10
            limits.inSyncTimeoutMs = dice.pick(150...500)
            deathNoticedMs = 5...30
        case .sets:
            (nodes, isDense) = (4, true)
            limits.operationTimeoutMs = dice.pick(60...200)
            limits.roundTimeoutMs = dice.pick(10...40)
            limits.inSyncTimeoutMs = limits.appendHeartbeatMs * 2 + 20
        }
    }

    /// Leaves the ring as it is, and makes those faults frequent that end reigns.
    mutating func aimAtLogs(_ dice: inout Dice) {
        for kind in FaultKind.allCases where kind.changesRing || kind == .damagedRegisters { leaveOut(kind) }
        spares = 0
        for kind in [FaultKind.crashes, .falseDeaths, .isolation, .oneWayCuts, .tornCommits]
        where dice.chance(0.3) {
            kinds.insert(kind)
        }
        switch logAim {
        case .anything: break
        case .returns:
            kinds.formUnion([.lateCopies, .lateness, .outliving])
            (weather.lateCopies, weather.lateCopyMs) = (dice.pick(0.05...0.4), 20...dice.pick(100...800))
            (weather.lateness, weather.lateMs) = (dice.pick(0.01...0.1), 20...dice.pick(100...500))
            weather.outlivesEnds = true
        case .sets:
            kinds.insert(.loss)
            weather.loss = dice.pick(0.05...0.3)
        }
    }

    /// Faults that hit whoever is primary then: what ends reigns, and what leaves a secondary behind just before.
    private func drawReignFaults(_ plan: inout LogPlan, _ dice: inout Dice) {
        let kinds: [LogFault.Kind]
        var count = dice.pick(1...15)
        switch logAim {
        case .anything:
            guard dice.chance(0.85) else { return }
            kinds = LogFault.Kind.common
        case .returns: (kinds, count) = ([.falseDeath, .isolation, .deafness, .silence, .lag, .unheard], count * 3)
        case .sets: (kinds, count) = ([.lag, .unheard, .silence, .deafness, .isolation, .crash], count * 3)
        }
        let weights = kinds.map { ($0, weight: dice.chance(0.6) ? dice.pick(1...5) : 0) }
        let spanMs = dice.pick(isDense ? 100...3_000 : 500...6_000 as ClosedRange<UInt64>)
        let longestMs = dice.pick([(30, weight: 1), (200, weight: 2), (1_500, weight: 2)]) ?? UInt64(30)
        for _ in 0..<count {
            guard let kind = dice.pick(weights) else { return }
            plan.faults.append(
                LogFault(
                    kind: kind, partition: dice.pick(0...plan.partitions.count - 1), atMs: dice.pick(0...spanMs),
                    forMs: dice.pick(1...(logAim == .anything ? longestMs : min(longestMs, 300))),
                    draw: dice.number()))
        }
    }

    mutating func drawLogClients() {
        var dice = Dice(seed: seed, Self.logClientDice)
        var plan = LogPlan()
        for index in 0..<(isDense || dice.chance(0.6) ? 1 : 2) {
            let retains = dice.chance(0.25)
            plan.topics.append(
                LogPlan.Topic(
                    name: "t\(index)",
                    configuration: TopicConfiguration(
                        partitions: UInt32(isDense ? 1 : dice.pick(1...2)),
                        replicationFactor: UInt16(
                            dice.pick([(3, weight: 6), (nodes, weight: 3), (2, weight: 1)]) ?? 3),
                        minInSync: UInt16(dice.pick([(0, weight: 6), (1, weight: 1), (2, weight: 3)]) ?? 0),
                        retentionMs: retains && dice.chance(0.5) ? dice.pick(100...2_000) : 0,
                        retentionBytes: retains ? dice.pick(100...3_000) : 0)))
        }
        let partitions = plan.partitions.count
        let producers = isDense ? dice.pick(1...3) : dice.pick(2...6)
        let batches = (isDense ? dice.pick(20...150) : dice.pick(100...400)) / producers
        let isImpatient = kinds.contains(.impatience)
        let thinkMaxMs: UInt64 = dice.pick([(2, weight: 3), (20, weight: 3), (60, weight: 1)]) ?? 2
        let bytesMax = dice.pick([(0, weight: 3), (200, weight: 1)]) ?? 0
        for index in 0..<producers {
            plan.producers.append(
                LogPlan.Producer(
                    partition: index % partitions, isNumbered: dice.chance(0.75), batches: batches,
                    recordsMax: dice.pick(1...3), bytesMax: bytesMax, thinkMaxMs: thinkMaxMs,
                    patienceMs: isImpatient
                        ? dice.pick(5...limits.operationTimeoutMs) : limits.operationTimeoutMs + 100,
                    deadlineMs: dice.pick(limits.operationTimeoutMs...6_000),
                    skips: dice.chance(0.3) ? dice.pick(0...0.1) : 0))
        }
        for index in 0..<dice.pick(1...3) {
            plan.consumers.append(
                LogPlan.Consumer(
                    partition: index % partitions,
                    bytesMax: UInt32(dice.pick([(1, weight: 1), (500, weight: 1), (1 << 20, weight: 2)]) ?? 1),
                    waitMs: UInt32(dice.pick(0...100)), thinkMaxMs: thinkMaxMs * 2,
                    patienceMs: limits.operationTimeoutMs + 100, goesBack: dice.pick(0...0.1)))
        }
        drawReignFaults(&plan, &dice)
        drawLogDamage(&plan)
        drawRetention(&plan)
        drawCompaction(&plan)
        logs = plan
    }
}
