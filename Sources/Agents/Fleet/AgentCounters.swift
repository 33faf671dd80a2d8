import Synchronization

/// Named counters that only grow.
package final class AgentCounters<Name: CaseIterable & RawRepresentable & Hashable & Sendable>: Sendable
where Name.RawValue == String {
    private let values = Mutex<[Name: UInt64]>([:])

    /// All at zero.
    package init() {}

    /// Counts.
    package func add(_ name: Name, _ amount: UInt64 = 1) {
        values.withLock { $0[name, default: 0] += amount }
    }

    /// One counter.
    package subscript(_ name: Name) -> UInt64 {
        values.withLock { $0[name] ?? 0 }
    }

    /// All counters in the order of their names' declaration.
    package var all: [(name: String, value: UInt64)] {
        let values = values.withLock { $0 }
        return Name.allCases.map { ($0.rawValue, values[$0] ?? 0) }
    }
}
