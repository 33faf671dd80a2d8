import Testing

@testable import Stormo

@Suite struct StatusReportTests {
    private func report(_ figures: [String: UInt64]) -> StatusReport {
        StatusReport(
            cluster: "c", epoch: 1, replicas: 1, change: nil,
            nodes: [
                StatusReport.Node(
                    name: "n1", id: "1", address: "a:1", zone: "z", state: "alive", ownsPercent: 100, figures: figures)
            ], others: [], topics: [])
    }

    @Test func `a node that is well has nothing to tell`() {
        let lines = report(["hints_pending": 0, "amnesia": 0, "hints_left_total": 9]).lines(withFigures: false)
        #expect(lines.count == 4, "\(lines)")
    }

    @Test(
        arguments: [
            (["storage_read_only": 1], "n1 takes no writes: its disk is full or has failed"),
            (
                ["amnesia": 1, "amnesia_ranges_total": 12, "amnesia_ranges_done": 5],
                "n1 fetches the copies that it has lost: 5 of 12 ranges"
            ),
            (["registers_damaged": 1_234], "n1 mends 1,234 damaged keys"),
            (
                ["hints_pending": 2_000, "hints_bytes": 1 << 20, "hints_oldest_ms": 90_000],
                "n1 keeps 2,000 writes (1.0 MiB) for nodes that missed them, the oldest for 1m30s"
            ),
        ] as [([String: UInt64], String)])
    func `what an operator should know of a node stands below the table`(_ figures: [String: UInt64], _ line: String) {
        #expect(report(figures).lines(withFigures: false).last == line)
    }
}
