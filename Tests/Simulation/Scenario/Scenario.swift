import NodeCore

/// Everything that a seed decides: the cluster, its weather, what goes wrong when, and what the clients do.
package struct Scenario: Sendable {
    /// What it was drawn from.
    package let seed: UInt64
    /// What its clients use.
    package let workload: Workload
    /// What was left out of it.
    package private(set) var reduction = Reduction()

    /// One key, few operations, short pauses, and faults that come close together: what takes many steps just so.
    var isDense = false
    /// What it is made for.
    private(set) var aim = Aim.nothing
    /// Nodes of the first ring.
    var nodes = 3
    /// Nodes that are there and hold nothing at first.
    var spares = 0
    var limits = CoreLimits()
    var weather = Weather()
    var syncMs: ClosedRange<UInt64> = 1...2
    /// Milliseconds that nodes' wall clocks differ from the true time at first.
    var skewMs: [Int64] = []
    /// What may happen; `faults` holds those with a time.
    var kinds: Set<FaultKind> = []
    var faults: [ScriptedFault] = []
    /// Chance that a node stops right after it has applied an entry of a register, and that a majority stops right after a
    /// client was answered.
    var crashOnApply = 0.0
    var crashOnAnswer = 0.0
    /// How long a node that stopped so stays down, in milliseconds.
    var aimedDownMs: ClosedRange<UInt64> = 20...200

    /// After which time the membership notices that a node is down, in milliseconds.
    var deathNoticedMs: ClosedRange<UInt64> = 200...1_500

    /// What the clients do with topics; nil where they use registers.
    var logs: LogPlan?
    /// What the members of consumer groups do; nil where there are none.
    var groups: GroupPlan?
    /// For how long leases are asked for, in milliseconds.
    var leaseMs: UInt64 = 1_000
    /// Names of the keys of each family.
    var keys: [KeyFamily: [String]] = [:]
    /// What each client does.
    var clients: [[PlannedOperation]] = []
    /// Whether each client has a coordinator of its own; else each operation goes anywhere.
    var clientsStay = false

    /// Draws one.
    package init(seed: UInt64, _ workload: Workload = .registers) {
        self.seed = seed
        self.workload = workload
        switch workload {
        case .registers, .groups: drawCluster()
        case .logs: drawLogCluster()
        }
        drawFaults()
        if workload == .logs { drawLogMoves() }
        skewMs = drawnSkews()
        switch workload {
        case .registers: drawClients()
        case .logs: drawLogClients()
        case .groups: drawGroups()
        }
    }

    /// The same with parts left out.
    package func reduced(by reduction: Reduction) -> Scenario {
        var scenario = Scenario(seed: seed, workload)
        scenario.reduction = reduction
        for kind in reduction.without { scenario.leaveOut(kind) }
        if let kept = reduction.faults {
            scenario.faults = scenario.faults.enumerated().filter { kept.contains($0.offset) }.map(\.element)
        }
        return scenario
    }

    /// Whether tombstones are collected within the scenario.
    var hasShortGrace: Bool { limits.graceMs < 10_000 }

    /// Whether nodes lose what they had.
    var mayLose: Bool { kinds.contains { $0.loses } || logs?.faults.contains { $0.kind == .loss } ?? false }

    /// All nodes.
    var allNodes: Int { nodes + spares }

    /// Whether clocks stay within the bound, so that leases exclude each other.
    var clocksAreTame: Bool { !kinds.contains(.wildClocks) }

    /// How far clocks of nodes and clients may ever differ from the true time, in milliseconds.
    var skewMaxMs: Int64 {
        faults.filter { $0.kind == .wildClocks }.map { abs($0.amount) }
            .reduce(Int64(limits.clockDriftMaxMs) / 2) { max($0, $1) }
    }

    // MARK: Drawing

    // What dice are for.
    static let clusterDice: UInt64 = 1
    static let faultDice: UInt64 = 2
    static let clientDice: UInt64 = 3
    static let networkDice: UInt64 = 4
    static let chanceDice: UInt64 = 5
    static let skewDice: UInt64 = 6

    private mutating func drawCluster() {
        var dice = Dice(seed: seed, Self.clusterDice)
        aim = dice.pick(Aim.weights) ?? .nothing
        isDense = dice.chance(0.5) || aim != .nothing
        nodes = dice.pick([(3, weight: isDense ? 12 : 6), (4, weight: 2), (5, weight: 2)]) ?? 3
        // There are no topics here.
        limits.balanceIntervalMs = 0
        limits.replicationFactor = dice.pick([(3, weight: 9), (5, weight: nodes), (2, weight: 1)]) ?? 3
        if aim != .nothing {
            // Who coordinates overwrites is no replica now and then: its own copy would know too much.
            nodes = aim == .overwrites ? 5 : 3
            limits.replicationFactor = 3
        }
        limits.virtualNodes = isDense ? 2 : 8
        if dice.chance(0.6) || isDense {
            // Short times, so that what takes minutes in production happens in seconds.
            limits.roundTimeoutMs = dice.pick(30...120)
            limits.operationTimeoutMs = dice.pick(300...900)
            limits.readHedgeMs = dice.pick(5...20)
            limits.retryPauseMaxMs = dice.pick(4...64)
            limits.ballotCeilingLeadMs = dice.pick(40...300)
            limits.operationAgeMaxMs = dice.pick(1_000...3_000)
            limits.clockDriftMaxMs = dice.pick(20...200)
            drawRepair(&dice)
        }
        let slowest = dice.pick([(3, weight: 3), (8, weight: 1), (20, weight: 1)]) ?? UInt64(3)
        weather.delayMs = 1...slowest
        weather.clientDelayMs = 0...dice.pick(0...3)
        weather.noticeMs = 0...dice.pick(0...5)
        let sync: UInt64 = dice.pick([(1, weight: 2), (3, weight: 2), (10, weight: 1)]) ?? 1
        syncMs = 1...sync
    }

    /// Short times of what goes on behind the scenes, so that it gets between the operations.
    private mutating func drawRepair(_ dice: inout Dice) {
        limits.ringStepPauseMs = dice.pick(10...200)
        limits.ringGreetingMs = dice.pick(50...500)
        limits.ringSpreadPauseMs = dice.pick(5...50)
        limits.copyPageKeys = dice.pick([(1, weight: 1), (4, weight: 1), (256, weight: 2)]) ?? 256
        limits.hintRetryPauseMs = dice.pick(20...1_000)
        limits.hintLookMs = dice.pick(50...500)
        limits.repairRetryPauseMs = dice.pick(20...500)
        limits.treeTimeoutMs = dice.pick(300...2_000)
        limits.mendRetryPauseMaxMs = dice.pick(100...2_000)
        if dice.chance(0.6) { limits.repairIntervalMs = dice.pick(100...3_000) }
        if aim == .collection { limits.repairIntervalMs = dice.pick(50...300) }
        if dice.chance(0.3) { limits.hintBytesMax = dice.pick(100...3_000) }
        if dice.chance(0.3) { limits.hintAgeMaxMs = dice.pick(200...3_000) }
        if dice.chance(0.6) || aim == .collection {
            if aim == .collection { limits.operationTimeoutMs = 300 }
            limits.operationAgeMaxMs = aim == .collection ? 300 : dice.pick(limits.operationTimeoutMs...1_200)
            // What an operation, a ballot promised beforehand and the longest way of a message take together.
            let leastMs = limits.operationAgeMaxMs * 2 + limits.operationTimeoutMs + limits.clockDriftMaxMs * 2
            limits.graceMs = leastMs + dice.pick(0...(aim == .collection ? 200 : 1_500))
        }
    }

    /// How far the wall clocks are from the true time at first.
    private func drawnSkews() -> [Int64] {
        var dice = Dice(seed: seed, Self.skewDice)
        let half = Int64(limits.clockDriftMaxMs) / 2
        return (0..<allNodes).map { _ in kinds.contains(.skew) ? dice.pick(-half...half) : 0 }
    }

    private mutating func drawClients() {
        var dice = Dice(seed: seed, Self.clientDice)
        let registers = aim == .collection ? 8 : isDense ? 1 : dice.chance(0.8) ? dice.pick(1...3) : dice.pick(8...40)
        keys[.register] = (0..<registers).map { "\(KeyFamily.register.letter)\(seed)-\($0)" }
        keys[.lock] = (0..<(isDense ? 1 : dice.pick(1...2))).map { "\(KeyFamily.lock.letter)\(seed)-\($0)" }
        leaseMs = limits.clockDriftMaxMs + dice.pick(10...600)
        keys[.weak] = (0..<2).map { "\(KeyFamily.weak.letter)\(seed)-\($0)" }
        var weights: [(OperationKind, weight: Int)] = []
        for kind in OperationKind.allCases {
            let isUsed = dice.chance(kind.family == .register ? (isDense ? 0.5 : 0.7) : (isDense ? 0.15 : 0.35))
            let weight = dice.pick(1...8)
            if isUsed || kind == .get { weights.append((kind, kind == .list ? 1 : weight)) }
        }
        if !weights.contains(where: { $0.0 != .get }) { weights.append((.put, 5)) }
        if let aimed = aim.operations { weights = aimed }
        clientsStay = dice.chance(0.3) || aim == .promisedPaths
        let count = aim == .overwrites ? dice.pick(3...5) : isDense ? dice.pick(1...5) : dice.pick(2...8)
        let isLong = aim == .overwrites || !isDense
        let operations = (isLong ? dice.pick(200...800) : dice.pick(30...200)) / count
        var thinkMaxMs: UInt64 = dice.pick([(2, weight: 2), (20, weight: 2), (100, weight: 1)]) ?? 20
        // Where the grace period is short, it passes while the clients are about.
        let spansGrace = dice.chance(0.5)
        if aim == .promisedPaths || aim == .overwrites { thinkMaxMs = 3 }
        if hasShortGrace, spansGrace && aim == .nothing || aim == .collection {
            thinkMaxMs = limits.graceMs * (aim == .collection ? 8 : 3) / UInt64(operations)
        }
        let isImpatient = kinds.contains(.impatience)
        let patienceMs = isImpatient ? dice.pick(5...limits.operationTimeoutMs) : limits.operationTimeoutMs * 2
        clients = (0..<count).map { client in
            var dice = Dice(seed: seed, Self.clientDice, UInt64(client) + 1)
            return (0..<operations).map { _ in
                let kind = dice.pick(weights) ?? .get
                return PlannedOperation(
                    kind: kind, key: dice.pick(0...(keys[kind.family] ?? []).count - 1),
                    thinkMs: dice.chance(0.1) ? dice.pick(0...thinkMaxMs * 10) : dice.pick(0...thinkMaxMs),
                    draw: dice.number(),
                    patienceMs: patienceMs + (isImpatient ? dice.pick(0...patienceMs) : 0))
            }
        }
    }
}

extension Scenario: CustomStringConvertible {
    /// What it is made of, in one line.
    package var description: String {
        let kinds = kinds.map(\.rawValue).sorted().joined(separator: " ")
        let keys = keys.values.reduce(0) { $0 + $1.count }
        return
            "scenario \(seed): \(isDense ? "dense, " : "")\(aim == .nothing ? "" : "for \(aim), ")\(nodes)+\(spares) nodes, \(limits.replicationFactor) copies, \(keys) keys, "
            + "\(clients.count) clients with \(clients.reduce(0) { $0 + $1.count }) operations; drift \(limits.clockDriftMaxMs), "
            + "operations \(limits.operationTimeoutMs), age \(limits.operationAgeMaxMs), grace \(limits.graceMs), "
            + "repair \(limits.repairIntervalMs) ms; skews \(skewMs); \(weather); \(kinds)"
    }
}
