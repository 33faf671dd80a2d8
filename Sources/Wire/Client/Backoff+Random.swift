package import Wire

extension Backoff {
    /// The pause before the next try, in milliseconds, with jitter drawn from the system's generator.
    package mutating func nextMs() -> UInt64 {
        var random = SystemRandomNumberGenerator()
        return pause(jitter: random.next())
    }
}
