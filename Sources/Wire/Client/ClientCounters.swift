import Synchronization
import Wire

/// What the client counts; read from any thread.
final class ClientCounters: Sendable {
    /// Operations asked of the client.
    let operations = Atomic<UInt64>(0)
    /// Operations given to another node after a refusal, a loss or a silence.
    let retries = Atomic<UInt64>(0)
    /// Nodes that were silent for longer than an attempt may take.
    let silences = Atomic<UInt64>(0)
    /// Operations that ended at their deadline.
    let timeouts = Atomic<UInt64>(0)
    /// Writes whose outcome is unknown.
    let outcomesUnknown = Atomic<UInt64>(0)
    /// Operations refused because `inFlightMax`, `waitingMax` or the bound of waiting records was reached.
    let overloaded = Atomic<UInt64>(0)
    /// Answers for which nobody waited any more.
    let lateAnswers = Atomic<UInt64>(0)
    /// Times this host's clock and a node's were too far apart: connections closed, and requests that the node refused.
    let clockDrifts = Atomic<UInt64>(0)
    /// Connections opened.
    let connects = Atomic<UInt64>(0)
    /// Times that a node's answers began to show, on a connection or after a refusal, that the two clocks agree.
    let admissions = Atomic<UInt64>(0)
    /// Times that the ring and the members were asked for.
    let refreshes = Atomic<UInt64>(0)
    /// Batches of records acknowledged.
    let batches = Atomic<UInt64>(0)
    /// Batches sent again since it was not known whether they had been taken.
    let publishRetries = Atomic<UInt64>(0)
    /// Records acknowledged.
    let recordsPublished = Atomic<UInt64>(0)
    /// Records fetched.
    let recordsFetched = Atomic<UInt64>(0)
    /// Fetch answers dropped since they came from a primary of the past.
    let staleFetches = Atomic<UInt64>(0)

    /// All figures, in a fixed order.
    var items: [NodeStatistics.Item] {
        [
            item("client_operations_total", operations), item("client_retries_total", retries),
            item("client_silences_total", silences), item("client_timeouts_total", timeouts),
            item("client_outcomes_unknown_total", outcomesUnknown), item("client_overloaded_total", overloaded),
            item("client_late_answers_total", lateAnswers), item("client_clock_drifts_total", clockDrifts),
            item("client_connects_total", connects), item("client_admissions_total", admissions),
            item("client_refreshes_total", refreshes), item("client_batches_total", batches),
            item("client_publish_retries_total", publishRetries),
            item("client_records_published_total", recordsPublished),
            item("client_records_fetched_total", recordsFetched), item("client_stale_fetches_total", staleFetches),
        ]
    }

    private func item(_ name: String, _ counter: borrowing Atomic<UInt64>) -> NodeStatistics.Item {
        NodeStatistics.Item(name: name, value: counter.load(ordering: .relaxed))
    }
}

extension Atomic where Value == UInt64 {
    /// Counts; figures need no order among themselves.
    borrowing func count(_ by: UInt64 = 1) { wrappingAdd(by, ordering: .relaxed) }
}
