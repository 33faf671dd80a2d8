/// A stamp of a hybrid logical clock (Kulkarni et al. 2014, "Logical Physical Clocks"): 48 bits of milliseconds since
/// 1970 and 16 bits of counter.
public struct HybridTime: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Milliseconds in the upper 48 bits, counter in the lower 16.
    public let rawValue: UInt64

    /// Wraps a stamp.
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    /// The first stamp of a millisecond.
    public init(milliseconds: UInt64) { rawValue = milliseconds << 16 }

    /// Before every event.
    public static let zero = HybridTime(0)

    /// Milliseconds since 1970.
    public var milliseconds: UInt64 { rawValue >> 16 }

    /// The next stamp, which may lie in the next millisecond.
    public var next: HybridTime { HybridTime(rawValue + 1) }

    /// Happened-before implies less.
    public static func < (a: HybridTime, b: HybridTime) -> Bool { a.rawValue < b.rawValue }

    /// `milliseconds.counter`.
    public var description: String { "\(milliseconds).\(rawValue & 0xffff)" }
}

/// A hybrid logical clock as a value: physical time comes in, stamps go out.
public struct HybridClock: Sendable {
    /// The greatest stamp given out or merged.
    public private(set) var latest: HybridTime
    /// How far, in milliseconds, a remote stamp may be ahead of this host's physical clock before it is refused.
    public let driftMaxMs: UInt64

    /// A clock that gives out nothing at or below `floor` (what the host persisted before it restarted).
    public init(floor: HybridTime = .zero, driftMaxMs: UInt64) {
        latest = floor
        self.driftMaxMs = driftMaxMs
    }

    /// A stamp greater than every earlier one.
    public mutating func now(physicalMs: UInt64) -> HybridTime {
        latest = max(latest.next, HybridTime(milliseconds: physicalMs))
        return latest
    }

    /// Takes in a stamp received from another host. A stamp further ahead than `driftMaxMs` is not merged: one wrong
    /// clock must not drag every other one along.
    ///
    /// - Returns: whether the stamp was acceptable.
    public mutating func merge(_ remote: HybridTime, physicalMs: UInt64) -> Bool {
        guard remote.milliseconds <= physicalMs + driftMaxMs else { return false }
        if remote > latest { latest = remote }
        return true
    }
}
