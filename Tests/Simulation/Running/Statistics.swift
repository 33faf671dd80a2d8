/// What happened in runs, counted by name.
package struct Statistics: Sendable {
    /// A group of counts that belong together.
    package enum Group: Int, CaseIterable, Sendable {
        /// Runs and what was checked.
        case checked
        /// Operations of clients by kind.
        case operations
        /// What clients were told.
        case outcomes
        /// Faults by kind.
        case faults
        /// What the cores did about them.
        case core
    }

    private var counts: [Group: [String: Int]] = [:]

    /// Nothing yet.
    package init() {}

    mutating func add(_ group: Group, _ name: String, _ count: Int = 1) {
        guard count > 0 else { return }
        counts[group, default: [:]][name, default: 0] += count
    }

    /// Adds up.
    package mutating func merge(_ other: Statistics) {
        for (group, names) in other.counts {
            for (name, count) in names { counts[group, default: [:]][name, default: 0] += count }
        }
    }

    /// A count.
    package func count(_ group: Group, _ name: String) -> Int { counts[group]?[name] ?? 0 }

    /// All counts of a group, by name.
    package func items(_ group: Group) -> [(name: String, count: Int)] {
        (counts[group] ?? [:]).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}
