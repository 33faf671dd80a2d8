import Wire

/// The numbers that a publisher gives its batches: a partition's primary takes each once, in their order, however often it
/// is sent.
struct ProducerNumbers {
    /// What a batch is numbered by.
    struct Number: Hashable {
        /// Which producer: a new one wherever it is not certain what the former one has in the log.
        var producerID: UInt64
        /// The number of the batch's first record in its partition.
        var sequence: UInt64
    }

    private var next: [PartitionID: Number] = [:]

    /// The number of a partition's next batch. The same again until `taken` or `forget`.
    mutating func number(for partition: PartitionID) -> Number {
        if let number = next[partition] { return number }
        if next.count >= ClientLimits.numberedPartitionsMax { next = [:] }
        let number = Number(producerID: .random(in: 1...UInt64.max), sequence: 0)
        next[partition] = number
        return number
    }

    /// The batch of so many records that had the number is in the log.
    mutating func taken(_ number: Number, count: Int, in partition: PartitionID) {
        guard next[partition] == number else { return }
        next[partition]?.sequence += UInt64(count)
    }

    /// What the log has of this producer is not known: the next batch is another producer's.
    mutating func forget(_ partition: PartitionID) { next[partition] = nil }
}
