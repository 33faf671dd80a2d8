import Glibc

/// When orders come in: a Poisson process, or one that switches between calm and bursts.
package struct OrderArrivals: Sendable, Hashable {
    /// How often orders come.
    package enum Pattern: Sendable, Hashable {
        /// Independent arrivals at a steady mean rate.
        case poisson(perMinute: Double)
        /// A Poisson process whose rate alternates between two levels for exponentially distributed times
        /// (Markov-modulated, Fischer and Meier-Hellstern 1993).
        case bursty(calmPerMinute: Double, burstPerMinute: Double, meanCalmMs: Double, meanBurstMs: Double)
    }

    /// How often orders come.
    package let pattern: Pattern
    private var isBurst = false
    /// Milliseconds left at the present rate; nil before the first arrival.
    private var levelLeftMs: Double?

    /// Starts a pattern, a bursty one in its calm.
    package init(_ pattern: Pattern) {
        self.pattern = pattern
    }

    /// Milliseconds from one arrival to the next; infinite when the rates are zero.
    package mutating func nextGapMs(using generator: inout some RandomNumberGenerator) -> Double {
        switch pattern {
        case .poisson(let perMinute):
            return Self.exponential(meanMs: 60_000 / max(0, perMinute), using: &generator)
        case .bursty(let calm, let burst, let meanCalmMs, let meanBurstMs):
            guard max(calm, burst) > 0, meanCalmMs > 0, meanBurstMs > 0 else { return .infinity }
            var waited = 0.0
            // The process has no memory: at a change of level the wait is drawn anew at the new rate. With one level's
            // rate at zero the loop passes through it, so it ends with probability one, within a few rounds.
            while true {
                let left =
                    levelLeftMs ?? Self.exponential(meanMs: isBurst ? meanBurstMs : meanCalmMs, using: &generator)
                let gap = Self.exponential(meanMs: 60_000 / max(0, isBurst ? burst : calm), using: &generator)
                if gap <= left {
                    levelLeftMs = left - gap
                    return waited + gap
                }
                waited += left
                isBurst.toggle()
                levelLeftMs = nil
            }
        }
    }

    /// An exponentially distributed time by inversion; infinite for an infinite mean.
    private static func exponential(meanMs: Double, using generator: inout some RandomNumberGenerator) -> Double {
        meanMs.isFinite ? -log(1 - Double.random(in: 0..<1, using: &generator)) * meanMs : .infinity
    }
}
