import Wire

/// How far a stream has been told: the next offset of every partition of every topic of its feed. As the `id` of an
/// event it is text that a client gives back to go on behind it.
struct StreamPosition: Sendable, Hashable {
    /// Tells the topics' present lives from former ones of the same names, whose offsets mean nothing any more.
    var life: UInt32
    /// Next offsets by topic (in the feed's order) and partition.
    var offsets: [[Offset]]

    init(life: UInt32, offsets: [[Offset]]) {
        self.life = life
        self.offsets = offsets
    }

    /// The tag of topics by their ids; a topic that does not exist yet counts as 0.
    static func life(of topics: [TopicID?]) -> UInt32 {
        var writer = ByteWriter(capacity: topics.count * 8)
        for topic in topics { writer.integer(topic?.rawValue ?? 0) }
        return UInt32(truncatingIfNeeded: XXH64.hash(writer.bytes))
    }

    /// The next offset of a partition; 0 for one that was not there.
    subscript(topic: Int, partition: UInt32) -> Offset {
        get { offsets[topic].indices.contains(Int(partition)) ? offsets[topic][Int(partition)] : 0 }
        set {
            while offsets[topic].count <= Int(partition) { offsets[topic].append(0) }
            offsets[topic][Int(partition)] = newValue
        }
    }

    /// Records of all partitions between this position and a later one.
    func distance(to later: StreamPosition) -> UInt64 {
        var sum: UInt64 = 0
        for (topic, partitions) in later.offsets.enumerated() {
            for (partition, offset) in partitions.enumerated() {
                let mine = self[topic, UInt32(partition)]
                if offset > mine { sum = sum.addingReportingOverflow(offset - mine).partialValue }
            }
        }
        return sum
    }

    /// Whether nothing lies between the two.
    func isLevel(with other: StreamPosition) -> Bool { distance(to: other) == 0 && other.distance(to: self) == 0 }

    /// `life-12.0.7-3.4`: hexadecimal life, then per topic its partitions' next offsets in base 36.
    var text: String {
        var text = String(life, radix: 16)
        for partitions in offsets {
            text += "-"
            for (index, offset) in partitions.enumerated() {
                if index > 0 { text += "." }
                text += String(offset, radix: 36)
            }
        }
        return text
    }

    /// Reads back what `text` wrote; nil for any other text and for another number of topics.
    init?(_ text: String, topics: Int) {
        guard text.utf8.count <= 16_384 else { return nil }
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == topics + 1, let life = UInt32(parts[0], radix: 16) else { return nil }
        var offsets: [[Offset]] = []
        for part in parts.dropFirst() {
            var partitions: [Offset] = []
            if !part.isEmpty {
                for number in part.split(separator: ".", omittingEmptySubsequences: false) {
                    guard let offset = Offset(number, radix: 36) else { return nil }
                    partitions.append(offset)
                }
            }
            guard partitions.count <= WireLimits.partitionsMax else { return nil }
            offsets.append(partitions)
        }
        self.init(life: life, offsets: offsets)
    }
}
