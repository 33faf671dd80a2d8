import StormoClient
import Wire

/// Waits for the end of a change of the ring, and shows how far it is.
struct RingWait: Sendable {
    /// How it ended.
    enum Outcome: String, Sendable {
        /// The ring is as planned.
        case done
        /// Somebody took it back, or changed the ring anew.
        case superseded
    }

    /// How often the nodes are asked, in milliseconds.
    private static let pollMs: UInt64 = 500
    /// How often a line is written where there is no terminal, in milliseconds.
    private static let lineMs: Int64 = 10_000

    let client: StormoClient
    let plan: RingPlan

    /// Returns when the change is over.
    func run() async throws -> (outcome: Outcome, ring: Ring) {
        var display = ProgressDisplay(everyMs: Self.lineMs)
        defer { display.clear() }
        var before: RingProgress?
        while true {
            if let ring = client.cluster?.ring, let outcome = Self.outcome(of: plan, in: ring) {
                return (outcome, ring)
            }
            let progress = RingProgress(await client.statisticsOfNodes())
            // Counted from the first look on: nodes count since their start.
            let first = before ?? progress
            before = first
            display.show(Self.text(progress, since: first))
            try await Task.sleep(for: .milliseconds(Self.pollMs))
        }
    }

    /// Returns when the partitions of topics are where they should be in the ring that is in force now.
    func runPartitions() async throws {
        var display = ProgressDisplay(everyMs: Self.lineMs)
        defer { display.clear() }
        while true {
            // Nodes that are going away may leave a question unanswered: the next one is answered by others.
            if let topics = try? await client.topics(), let ring = client.cluster?.ring {
                let left = PartitionMoves.left(topics, over: ring.members).count
                if left == 0 { return }
                display.show(PartitionMoves.text(left))
            }
            try await Task.sleep(for: .milliseconds(Self.pollMs))
        }
    }

    /// How a change has ended, by the ring in force; nil while it goes on.
    static func outcome(of plan: RingPlan, in ring: Ring) -> Outcome? {
        guard ring.epoch >= plan.epoch, ring.next == nil else { return nil }
        let planned = Set(plan.shares.filter { $0.after > 0 }.map(\.node))
        return planned == Set(ring.members.map(\.id)) && ring.replicas == Int(plan.replicas) ? .done : .superseded
    }

    /// One line of progress.
    static func text(_ progress: RingProgress, since first: RingProgress) -> String {
        guard progress.rangesTotal > 0 else {
            return progress.silent.isEmpty
                ? "waiting for the nodes that copy" : "no word from \(progress.silent.joined(separator: ", "))"
        }
        let names = progress.copiers.map(\.name).joined(separator: ", ")
        let keys = progress.keys - min(progress.keys, first.keys)
        let bytes = progress.bytes - min(progress.bytes, first.bytes)
        var parts = [
            "\(progress.rangesDone * 100 / progress.rangesTotal) %",
            "\(names): \(progress.rangesDone) of \(progress.rangesTotal) ranges",
            "\(Text.grouped(Double(keys))) keys", Text.size(bytes: bytes),
        ]
        if let leftMs = progress.leftMs, leftMs > 0 { parts.append("about \(Text.duration(ms: leftMs)) left") }
        if !progress.silent.isEmpty { parts.append("no word from \(progress.silent.joined(separator: ", "))") }
        return parts.joined(separator: " · ")
    }
}

/// A line of progress on standard error: written over on a terminal, one now and then elsewhere.
struct ProgressDisplay: Sendable {
    private var line = LiveLine(onError: true)
    private var lastText = ""
    private var nextAt = ContinuousClock.now
    private let pause: Duration

    /// A display that writes at most every `everyMs` where there is no terminal.
    init(everyMs: Int64) { pause = .milliseconds(everyMs) }

    /// Shows a text in place of the last one.
    mutating func show(_ text: String) {
        if line.isLive { return line.show(text) }
        guard text != lastText, ContinuousClock.now >= nextAt else { return }
        nextAt = .now + pause
        lastText = text
        Console.error(text)
    }

    /// Takes the line away.
    mutating func clear() { line.clear() }
}
