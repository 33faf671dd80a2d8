import FleetRules

/// What the gateway knows of the fleet's deliveries: those that are open, and how long those took that were assigned or
/// closed within the last minutes. A value that is told of deliveries in any order, any number of times.
struct ServiceLevels: Sendable {
    /// What is known of one delivery.
    private struct Entry: Sendable {
        var revision: Int
        var status: DeliveryStatus
        var timestampMs: Int64
        var assignedAtMs: Int64?
        var deliveredAtMs: Int64?
        /// When it was last heard of.
        var heardMs: Int64
    }

    /// Durations at three quantiles, in ms; nil when there were none.
    struct Quantiles: Sendable, Hashable {
        var p50: Int64?
        var p95: Int64?
        var p99: Int64?
        /// How many durations.
        var count = 0

        /// By nearest rank: the smallest duration that the share does not exceed.
        init(_ durations: [Int64]) {
            let sorted = durations.sorted()
            count = sorted.count
            func at(_ percent: Int) -> Int64? {
                sorted.isEmpty ? nil : sorted[max(0, (sorted.count * percent + 99) / 100 - 1)]
            }
            p50 = at(50)
            p95 = at(95)
            p99 = at(99)
        }
    }

    /// The figures of a moment.
    struct Figures: Sendable {
        /// Open deliveries by status, and those closed within the window, in the order of the statuses.
        var byStatus: [(status: DeliveryStatus, count: Int)]
        /// From order to assignment, for those assigned within the window.
        var assignment: Quantiles
        /// From order to drop-off, for those delivered within the window.
        var delivery: Quantiles
        /// Drop-offs within the window, by the minute.
        var deliveriesPerMinute: Double
    }

    /// Minutes that count as the present.
    static let windowMs: Int64 = 300_000

    /// Most deliveries that are remembered; beyond it the oldest closed ones go, then the oldest at all.
    private let deliveriesMax: Int
    private var entries: [String: Entry] = [:]

    init(deliveriesMax: Int) { self.deliveriesMax = deliveriesMax }

    /// How many deliveries are remembered.
    var count: Int { entries.count }

    /// Takes in a delivery as somebody saw it; an older state than the one that is known changes nothing.
    mutating func handle(_ delivery: Delivery, nowMs: Int64) {
        if let known = entries[delivery.id], known.revision >= delivery.revision { return }
        entries[delivery.id] = Entry(
            revision: delivery.revision, status: delivery.status, timestampMs: delivery.timestampMs,
            assignedAtMs: delivery.assignedAtMs, deliveredAtMs: delivery.deliveredAtMs, heardMs: nowMs)
        if entries.count > deliveriesMax { forget(nowMs) }
    }

    /// The figures of a moment; forgets what will count in none any more.
    mutating func figures(nowMs: Int64) -> Figures {
        let since = nowMs - Self.windowMs
        entries = entries.filter {
            !$0.value.status.isClosed || $0.value.heardMs >= since || ($0.value.deliveredAtMs ?? 0) >= since
        }
        var counts: [DeliveryStatus: Int] = [:]
        var assignments: [Int64] = []
        var deliveries: [Int64] = []
        for entry in entries.values {
            counts[entry.status, default: 0] += 1
            if let at = entry.assignedAtMs, at >= since { assignments.append(at - entry.timestampMs) }
            if entry.status == .delivered, let at = entry.deliveredAtMs, at >= since {
                deliveries.append(at - entry.timestampMs)
            }
        }
        return Figures(
            byStatus: DeliveryStatus.allCases.map { ($0, counts[$0] ?? 0) }, assignment: Quantiles(assignments),
            delivery: Quantiles(deliveries),
            deliveriesPerMinute: Double(deliveries.count) * 60_000 / Double(Self.windowMs))
    }

    private mutating func forget(_ nowMs: Int64) {
        let oldestFirst = entries.sorted {
            ($0.value.status.isClosed ? 0 : 1, $0.value.timestampMs, $0.key)
                < ($1.value.status.isClosed ? 0 : 1, $1.value.timestampMs, $1.key)
        }
        // A tenth at once, so that sorting is rare.
        for entry in oldestFirst.prefix(max(1, deliveriesMax / 10)) { entries[entry.key] = nil }
    }
}
