import EnergyRules

/// Readings that wait to be published: bounded, in order, the oldest go first when it is full.
struct OutgoingBuffer {
    private var waiting: [Reading] = []
    private var head = 0
    private let most: Int

    /// Readings that were dropped because the buffer was full.
    private(set) var dropped = 0

    /// An empty buffer for at most `most` readings.
    init(most: Int) {
        self.most = most
    }

    /// Readings waiting.
    var count: Int { waiting.count - head }

    /// Readings that fit in without dropping any.
    var room: Int { most - count }

    /// Adds readings; what is too much goes from the front.
    mutating func append(_ readings: [Reading]) {
        waiting.append(contentsOf: readings)
        let surplus = count - most
        if surplus > 0 {
            dropped += surplus
            head += surplus
        }
        compact()
    }

    /// The oldest readings, at most `limit`; they stay until ``remove(_:)``.
    func first(_ limit: Int) -> [Reading] {
        Array(waiting[head..<min(waiting.count, head + limit)])
    }

    /// Removes the readings of a batch that has been published and that are still in front. Readings that were
    /// dropped meanwhile were the oldest, so of the batch too.
    mutating func remove(_ batch: [Reading], droppedBefore: Int) {
        let gone = dropped - droppedBefore
        head += min(count, max(0, batch.count - gone))
        compact()
    }

    private mutating func compact() {
        guard head > waiting.count / 2 else { return }
        waiting.removeFirst(head)
        head = 0
    }
}
