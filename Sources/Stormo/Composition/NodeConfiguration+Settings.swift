import Membership
import NodeCore
import NodeShell
import NodeStorage
import WireTransport

extension NodeConfiguration {
    /// A node as the settings say. `secret` is that of the cluster, nil for none.
    init(_ settings: ResolvedSettings, secret: [UInt8]?) throws(ConfigurationError) {
        let listen = try settings.value(NodeSettings.listen)
        let advertise = try settings.optional(NodeSettings.advertise)
        try ClusterSecret.require(secret, toListenOn: listen)
        if advertise == nil, listen.isWildcard || listen.port == 0 {
            throw .refused(
                "nobody can be told to connect to \(listen), where the node listens: give --advertise HOST:PORT")
        }
        let seeds = try settings.value(CommonSettings.seeds)
        let expected = try settings.value(NodeSettings.bootstrapExpect)
        // Two halves of the seeds that do not see each other must not both found a cluster.
        guard expected * 2 > seeds.count, expected <= seeds.count else {
            throw .refused(
                "node.bootstrap-expect is \(expected) with \(seeds.count) seeds: expected more than half of the seeds, "
                    + "\(seeds.count / 2 + 1) to \(seeds.count)")
        }
        self.init(
            name: try settings.value(NodeSettings.name), clusterName: try settings.value(CommonSettings.cluster),
            secret: secret ?? [], listen: listen.description, seeds: seeds.map(\.description),
            dataDirectory: try settings.value(NodeSettings.data))
        self.advertise = advertise?.description
        zone = try settings.value(NodeSettings.zone)

        core.bootstrapExpect = expected
        core.replicationFactor = try settings.value(NodeSettings.replicationFactor)
        core.virtualNodes = UInt16(clamping: try settings.value(NodeSettings.virtualNodes))
        core.operationTimeoutMs = try settings.value(NodeSettings.operationTimeout)
        core.clockDriftMaxMs = try settings.value(NodeSettings.clockDriftMax)
        core.operationAgeMaxMs = try settings.value(NodeSettings.operationAgeMax)
        core.inSyncTimeoutMs = try settings.value(NodeSettings.inSyncTimeout)
        core.roundTimeoutMs = try settings.value(NodeSettings.roundTimeout)
        core.readHedgeMs = try settings.value(NodeSettings.readHedge)
        core.operationsMax = try settings.value(NodeSettings.operationsMax)
        core.watchesMax = try settings.value(NodeSettings.watchesMax)
        core.backlogBytesMax = try settings.value(NodeSettings.backlogBytes)
        core.hintBytesMax = try settings.value(NodeSettings.hintBytesMax)
        core.hintAgeMaxMs = try settings.value(NodeSettings.hintAgeMax)
        core.hintsPerSecond = UInt64(try settings.value(NodeSettings.hintsPerSecond))
        core.repairIntervalMs = try settings.value(NodeSettings.repairInterval)
        core.repairBytesPerSecond = try settings.value(NodeSettings.repairBytes)
        core.copyBytesPerSecond = try settings.value(NodeSettings.copyBytes)
        core.copyKeysPerSecond = try settings.value(NodeSettings.copyKeys)
        core.catchUpBytesPerSecond = try settings.value(NodeSettings.catchUpBytes)
        core.partitionMovesMax = try settings.value(NodeSettings.partitionMovesMax)
        core.balanceIntervalMs = try settings.value(NodeSettings.balanceInterval)
        core.topicReviewMs = try settings.value(NodeSettings.topicReview)
        core.compactionBytesPerSecond = try settings.value(NodeSettings.compactionBytes)
        core.compactionBytesMin = UInt64(try settings.value(NodeSettings.compactionBytesMin))
        core.compactionDirtyPercent = try settings.value(NodeSettings.compactionDirty)
        core.compactionKeyBytesMax = try settings.value(NodeSettings.compactionMemory)
        core.deletionMarkerAgeMs = try settings.value(NodeSettings.deletionMarkerAge)
        core.producerAgeMaxMs = try settings.value(NodeSettings.producerAgeMax)
        core.graceMs = try settings.value(NodeSettings.grace)
        try Self.checkTimes(core)

        refusedTimeoutMs = try settings.value(NodeSettings.refusedTimeout)
        drainTimeoutMs = try settings.value(NodeSettings.drain)
        clientsLeaveMs = try settings.value(NodeSettings.clientsLeave)
        try Self.checkStop(self, shutdownMs: try settings.value(CommonSettings.shutdownGrace))

        membership.probeIntervalMs = try settings.value(NodeSettings.probeInterval)
        membership.probeTimeoutMs = try settings.value(NodeSettings.probeTimeout)
        membership.indirectProbes = try settings.value(NodeSettings.probesIndirect)
        membership.suspicionMultiplier = UInt64(try settings.value(NodeSettings.suspicion))
        try Self.require(
            "node.probe-timeout", membership.probeTimeoutMs, atMost: membership.probeIntervalMs, "node.probe-interval")

        let budget = try DescriptorBudget.node(
            limit: DescriptorLimit.current, wanted: try settings.optional(NodeSettings.connectionsMax))
        connectionsMax = budget.connections
        connectionsKeptForNodes = min(budget.connectionsKeptForNodes, connectionsMax / 2)
        handshakesMax = budget.handshakes
        storage.openLogFilesMax = min(storage.openLogFilesMax, budget.logFiles)

        storage.cacheBytesMax = try settings.value(NodeSettings.cacheBytes)
        storage.cacheItemsMax = try settings.value(NodeSettings.cacheItems)
        storage.journalSegmentBytes = try settings.value(NodeSettings.journalSegmentBytes)
        storage.journalFirstSegmentBytes = min(storage.journalFirstSegmentBytes, storage.journalSegmentBytes)
        storage.memtableBytesMax = try settings.value(NodeSettings.memtableBytes)
    }

    /// Times that are fine by themselves and contradict each other.
    private static func checkTimes(_ core: CoreLimits) throws(ConfigurationError) {
        let age = core.operationAgeMaxMs
        let drift = core.clockDriftMaxMs
        try require(
            "node.round-timeout", core.roundTimeoutMs, atMost: core.operationTimeoutMs, "node.operation-timeout")
        try require("node.read-hedge", core.readHedgeMs, atMost: core.roundTimeoutMs, "node.round-timeout")
        guard age > drift else {
            throw .refused(
                "node.operation-age-max (\(text(age))) is not longer than node.clock-drift-max (\(text(drift))): "
                    + "clocks that may differ would make fresh messages too old; make it longer")
        }
        guard core.graceMs > age + drift else {
            throw .refused(
                "node.grace (\(text(core.graceMs))) is not longer than node.operation-age-max and node.clock-drift-max "
                    + "together (\(text(age + drift))): a message under way could bring back what was deleted; make it longer"
            )
        }
        let keptMs = core.graceMs - age - drift
        guard core.hintAgeMaxMs <= keptMs else {
            throw .refused(
                "node.hint-age-max (\(text(core.hintAgeMaxMs))) is longer than what node.grace leaves beside "
                    + "node.operation-age-max and node.clock-drift-max (\(text(keptMs))): a hint would outlive the deletion "
                    + "that it has to be compared with; make it shorter, or the grace longer")
        }
    }

    /// What a stop may take, and when the process is ended whatever it does.
    private static func checkStop(_ node: NodeConfiguration, shutdownMs: UInt64) throws(ConfigurationError) {
        guard node.drainTimeoutMs < shutdownMs else {
            throw .refused(
                "node.drain (\(text(node.drainTimeoutMs))) is not shorter than shutdown-grace (\(text(shutdownMs))): the node "
                    + "would be ended before it has closed its files; make it shorter")
        }
        try require("node.clients-leave", node.clientsLeaveMs, atMost: node.drainTimeoutMs, "node.drain")
    }

    private static func require(
        _ name: String, _ ms: UInt64, atMost mostMs: UInt64, _ other: String
    ) throws(ConfigurationError) {
        guard ms > mostMs else { return }
        throw .refused("\(name) (\(text(ms))) is longer than \(other) (\(text(mostMs))): make it shorter")
    }

    private static func text(_ ms: UInt64) -> String { Quantity.durationText(ms) }
}
