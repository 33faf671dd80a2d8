import NIOCore
import Synchronization
import Wire

/// One record of a stream, ready to be told.
struct StreamRecord: Sendable {
    /// Its place.
    let offset: Offset
    /// The event's name.
    let name: String
    /// The event's data: one JSON value.
    let json: [UInt8]
}

/// Records of one partition that came together.
struct StreamBatch: Sendable {
    /// The topic, by its place in the feed.
    let topic: Int
    /// The partition.
    let partition: UInt32
    /// In order of offset.
    let records: [StreamRecord]
    /// The offset behind them.
    let next: Offset
}

/// What waits for one client of a stream, up to a bound: a client that does not read is dropped, it does not hold up
/// the others and does not fill the memory.
final class StreamClient: Sendable {
    /// What `next` gives.
    enum Delivery: Sendable {
        /// Text for everybody, to be written as it is, in order.
        case text([ByteBuffer])
        /// Records to be told from this client's own position.
        case batches([StreamBatch])
        /// Nothing more will come.
        case end
    }

    private struct State {
        var text: [ByteBuffer] = []
        var batches: [StreamBatch] = []
        var events = 0
        var bytes = 0
        var hasEnded = false
        var waiter: CheckedContinuation<Delivery, Never>?

        mutating func take() -> Delivery? {
            if !text.isEmpty {
                defer { text.removeAll(keepingCapacity: true) }
                if batches.isEmpty { clearCounts() }
                return .text(text)
            }
            if !batches.isEmpty {
                defer { batches.removeAll() }
                clearCounts()
                return .batches(batches)
            }
            return hasEnded ? .end : nil
        }

        private mutating func clearCounts() {
            events = 0
            bytes = 0
        }
    }

    private let eventsMax: Int
    private let bytesMax: Int
    private let state = Mutex(State())

    init(eventsMax: Int, bytesMax: Int) {
        self.eventsMax = eventsMax
        self.bytesMax = bytesMax
    }

    /// Adds text of so many events. False when too much waits already: then the client is at its end.
    func offer(_ text: ByteBuffer, events: Int) -> Bool {
        add(events: events, bytes: text.readableBytes) { $0.text.append(text) }
    }

    /// Adds records for a client that is not level with the others.
    func offer(_ batch: StreamBatch) -> Bool {
        add(events: batch.records.count, bytes: batch.records.reduce(0) { $0 + $1.json.count }) {
            $0.batches.append(batch)
        }
    }

    private func add(events: Int, bytes: Int, _ append: (inout State) -> Void) -> Bool {
        let (isTaken, wake) = state.withLock { state -> (Bool, (CheckedContinuation<Delivery, Never>, Delivery)?) in
            guard !state.hasEnded else { return (true, nil) }
            guard state.events + events <= eventsMax, state.bytes + bytes <= bytesMax else {
                state = State(hasEnded: true, waiter: state.waiter)
                return (false, Self.wake(&state))
            }
            state.events += events
            state.bytes += bytes
            append(&state)
            return (true, Self.wake(&state))
        }
        if let wake { wake.0.resume(returning: wake.1) }
        return isTaken
    }

    private static func wake(_ state: inout State) -> (CheckedContinuation<Delivery, Never>, Delivery)? {
        guard let waiter = state.waiter, let delivery = state.take() else { return nil }
        state.waiter = nil
        return (waiter, delivery)
    }

    /// Ends the stream once what waits has been taken.
    func end() {
        let wake = state.withLock { state in
            state.hasEnded = true
            return Self.wake(&state)
        }
        if let wake { wake.0.resume(returning: wake.1) }
    }

    /// All that waits; waits itself when nothing does. For one task only.
    func next() async -> Delivery {
        await withCheckedContinuation { continuation in
            let delivery = state.withLock { state -> Delivery? in
                if let delivery = state.take() { return delivery }
                state.waiter = continuation
                return nil
            }
            if let delivery { continuation.resume(returning: delivery) }
        }
    }
}
