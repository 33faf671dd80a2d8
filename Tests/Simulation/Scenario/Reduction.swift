/// What is left out of a scenario to see whether it still fails.
package struct Reduction: Sendable, Hashable {
    /// Kinds of faults that do not happen.
    package var without: Set<FaultKind> = []
    /// The faults with a time that are kept, by their place; nil for all.
    package var faults: IndexList?
    /// The operations that are kept, numbered client by client; nil for all.
    package var operations: IndexList?
    /// Which of the ways in which the network may treat the messages; a shrunk scenario may fail in another one.
    package var jitter: UInt64 = 0

    /// Leaves nothing out.
    package init() {}

    /// The options of the command line that stand for it.
    package var arguments: String {
        var parts: [String] = []
        if !without.isEmpty { parts.append("--without \(without.map(\.rawValue).sorted().joined(separator: ","))") }
        if let faults { parts.append("--faults \(faults)") }
        if let operations { parts.append("--operations \(operations)") }
        if jitter != 0 { parts.append("--jitter \(jitter)") }
        return parts.joined(separator: " ")
    }
}

/// A set of numbers, written as `1-4,7`; the empty one as `none`.
package struct IndexList: Sendable, Hashable, CustomStringConvertible {
    private var bits: [Bool] = []

    /// The numbers that are in it, in order.
    package init(_ indices: some Sequence<Int>) {
        for index in indices {
            while bits.count <= index { bits.append(false) }
            bits[index] = true
        }
    }

    /// Reads what `description` wrote; nil for anything else.
    package init?(_ text: String) {
        var indices: [Int] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) where text != "none" {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2, 0 <= first,
                first <= last, last < 1 << 20
            else { return nil }
            indices += first...last
        }
        self.init(indices)
    }

    /// Whether a number is in it.
    package func contains(_ index: Int) -> Bool { index < bits.count && bits[index] }

    /// The numbers, in order.
    package var indices: [Int] { bits.indices.filter { bits[$0] } }

    /// As it is read.
    package var description: String {
        var parts: [String] = []
        var index = 0
        while index < bits.count {
            guard bits[index] else {
                index += 1
                continue
            }
            var end = index
            while end + 1 < bits.count, bits[end + 1] { end += 1 }
            parts.append(end == index ? "\(index)" : "\(index)-\(end)")
            index = end + 1
        }
        return parts.isEmpty ? "none" : parts.joined(separator: ",")
    }
}
