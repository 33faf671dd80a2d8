package import Wire

extension Node {
    /// What stands where at the moment, by name.
    package var gauges: [NodeStatistics.Item] {
        let isJoint = ring?.next != nil
        let hintFigures = hintFigures
        return [
            .init(name: "operations_in_flight", value: UInt64(operations.count - lingering)),
            .init(name: "operations_lingering", value: UInt64(lingering)),
            .init(name: "replies_waiting_for_disk", value: UInt64(gate.count)),
            .init(name: "partitions_led", value: UInt64(partitionOrder.count { partitions[$0]?.isPrimary == true })),
            .init(name: "ring_epoch", value: UInt64(ring?.epoch.rawValue ?? 0)),
            .init(name: "ring_joint", value: isJoint ? 1 : 0),
            .init(name: "transfer_ranges_total", value: isJoint ? UInt64(copying.segments.count) : 0),
            .init(name: "transfer_ranges_done", value: isJoint ? UInt64(copying.done) : 0),
            .init(name: "transfer_left_ms", value: isJoint ? copying.leftMs(nowMs: time.monotonicMs) : 0),
            .init(name: "watches", value: UInt64(watches.count)),
            .init(name: "watch_subscriptions", value: UInt64(subscriptions.count)),
            .init(name: "hints_pending", value: UInt64(hintFigures.pending)),
            .init(name: "hints_bytes", value: UInt64(hintFigures.bytes)),
            .init(name: "hints_oldest_ms", value: hintFigures.oldestMs),
            .init(name: "repair_running", value: comparing.status.isRunning ? 1 : 0),
            .init(name: "repair_ranges_left", value: repairRangesLeft),
            .init(name: "repair_trees_making", value: UInt64(serving.jobs.count)),
            .init(name: "registers_damaged", value: UInt64(mending.count)),
            .init(name: "logs_damaged", value: UInt64(partitionOrder.count { partitions[$0]?.isDamaged == true })),
            .init(name: "amnesia", value: amnesia == nil ? 0 : 1),
            .init(name: "databases_lost", value: LogLosses.decode(store.fact(.logsLost))),
            .init(name: "amnesia_ranges_total", value: UInt64(recalling.segments.count)),
            .init(name: "amnesia_ranges_done", value: amnesia == nil ? 0 : UInt64(recalling.done)),
            .init(name: "ranges_muted", value: UInt64(muted.count)),
        ]
    }

    /// Whether this node leads partitions that another one could lead.
    package var leadsWithOthers: Bool {
        partitionOrder.contains { partitions[$0]?.primary.map { $0.configuration.inSync.count > 1 } ?? false }
    }

    /// Whether requests are being worked on. What is done behind the scenes goes on after a restart.
    package var isBusy: Bool { operations.count > lingering + hints.inFlight + comparing.inFlight || gate.count > 0 }

    private var repairRangesLeft: UInt64 {
        let status = comparing.status
        return UInt64(max(0, Int(status.rangesTotal) - Int(status.rangesDone) - Int(status.rangesFailed)))
    }
}
