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

        membership.probeIntervalMs = try settings.value(NodeSettings.probeInterval)
        membership.probeTimeoutMs = try settings.value(NodeSettings.probeTimeout)
        membership.indirectProbes = try settings.value(NodeSettings.probesIndirect)
        membership.suspicionMultiplier = UInt64(try settings.value(NodeSettings.suspicion))
        guard membership.probeTimeoutMs <= membership.probeIntervalMs else {
            throw .refused(
                "node.probe-timeout (\(membership.probeTimeoutMs) ms) is longer than node.probe-interval "
                    + "(\(membership.probeIntervalMs) ms): make it shorter")
        }

        storage.cacheBytesMax = try settings.value(NodeSettings.cacheBytes)
        storage.cacheItemsMax = try settings.value(NodeSettings.cacheItems)
        storage.journalSegmentBytes = try settings.value(NodeSettings.journalSegmentBytes)
        storage.journalFirstSegmentBytes = min(storage.journalFirstSegmentBytes, storage.journalSegmentBytes)
        storage.memtableBytesMax = try settings.value(NodeSettings.memtableBytes)
    }
}
