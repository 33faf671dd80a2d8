/// A bucket that fills with one token per interval up to its capacity; each act takes one.
struct TokenBucket: Sendable, Hashable {
    private var tokens: Double
    private var updatedMs: Int64

    /// A full bucket.
    init(capacity: Double, nowMs: Int64) {
        tokens = capacity
        updatedMs = nowMs
    }

    /// Takes a token; when there is none, says how long until there will be one, in milliseconds.
    mutating func take(capacity: Double, intervalMs: Double, nowMs: Int64) -> Int64? {
        refill(capacity, intervalMs, nowMs)
        guard tokens < 1 else {
            tokens -= 1
            return nil
        }
        return Int64(((1 - tokens) * intervalMs).rounded(.up))
    }

    /// Whether it has filled up again, and need not be remembered.
    mutating func isFull(capacity: Double, intervalMs: Double, nowMs: Int64) -> Bool {
        refill(capacity, intervalMs, nowMs)
        return tokens >= capacity
    }

    private mutating func refill(_ capacity: Double, _ intervalMs: Double, _ nowMs: Int64) {
        tokens = min(capacity, tokens + Double(max(0, nowMs - updatedMs)) / intervalMs)
        updatedMs = max(updatedMs, nowMs)
    }
}

/// Limits attempts to sign in: per name and address, so that a password cannot be guessed, and per address, so that
/// names cannot be tried out. A name is never locked for other addresses.
struct SignInLimiter: Sendable {
    private struct Pair: Hashable {
        let name: String
        let address: String
    }

    /// Attempts at once, and the time in ms after which there is one more.
    private static let pair = (capacity: 5.0, intervalMs: 15_000.0)
    private static let address = (capacity: 30.0, intervalMs: 2_000.0)

    private let countersMax: Int
    private var pairs: [Pair: TokenBucket] = [:]
    private var addresses: [String: TokenBucket] = [:]

    /// Remembers at most `countersMax` names and addresses.
    init(countersMax: Int) { self.countersMax = countersMax }

    /// Counts an attempt; when it is one too many, says when the next may be made, in milliseconds.
    mutating func attempt(name: String, address: String, nowMs: Int64) -> Int64? {
        forgetFull(nowMs)
        let pair = Pair(name: name, address: address)
        let waitForAddress = addresses[address, default: TokenBucket(capacity: Self.address.capacity, nowMs: nowMs)]
            .take(
                capacity: Self.address.capacity, intervalMs: Self.address.intervalMs, nowMs: nowMs)
        if let waitForAddress { return waitForAddress }
        return pairs[pair, default: TokenBucket(capacity: Self.pair.capacity, nowMs: nowMs)].take(
            capacity: Self.pair.capacity, intervalMs: Self.pair.intervalMs, nowMs: nowMs)
    }

    /// Forgets the attempts of somebody who has now signed in.
    mutating func succeeded(name: String, address: String) {
        pairs[Pair(name: name, address: address)] = nil
        addresses[address] = nil
    }

    /// How many names and addresses are remembered.
    var count: Int { pairs.count + addresses.count }

    private mutating func forgetFull(_ nowMs: Int64) {
        guard count >= countersMax else { return }
        pairs = pairs.filter { entry in
            var bucket = entry.value
            return !bucket.isFull(capacity: Self.pair.capacity, intervalMs: Self.pair.intervalMs, nowMs: nowMs)
        }
        addresses = addresses.filter { entry in
            var bucket = entry.value
            return !bucket.isFull(capacity: Self.address.capacity, intervalMs: Self.address.intervalMs, nowMs: nowMs)
        }
        // More guessers at once than are remembered: begin anew rather than grow.
        if count >= countersMax {
            pairs.removeAll()
            addresses.removeAll()
        }
    }
}
