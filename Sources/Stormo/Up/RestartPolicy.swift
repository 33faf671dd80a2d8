/// When a child that ended is started again.
struct RestartPolicy: Sendable, Hashable {
    /// What to do about a child that ended.
    enum Verdict: Sendable, Hashable {
        /// Start it again after a pause, in milliseconds.
        case restart(afterMs: UInt64)
        /// It did what it was there for.
        case finished
        /// It refuses its arguments or its configuration: starting it again cannot help.
        case hopeless
    }

    /// Pause after the first death in a row, in milliseconds.
    var pauseMs: UInt64 = 200
    /// Longest pause, in milliseconds.
    var pauseMaxMs: UInt64 = 10_000
    /// A child that ran this long, in milliseconds, died for a reason of its own: its pauses begin anew. Three times
    /// the longest pause, so that a child which dies while it starts cannot reset them.
    var healthyAfterMs: UInt64 { 3 * pauseMaxMs }

    /// The verdict on a child that ended after `ranMs`, having died `deaths` times in a row before.
    func verdict(status: ChildExit, isAgent: Bool, ranMs: UInt64, deaths: Int) -> Verdict {
        switch status {
        case .code(CommandExit.usage), .code(CommandExit.configuration): .hopeless
        case .code(0) where isAgent: .finished
        default: .restart(afterMs: pause(deaths: ranMs >= healthyAfterMs ? 0 : deaths))
        }
    }

    /// The pause after `deaths` deaths in a row, in milliseconds: it doubles up to the longest.
    func pause(deaths: Int) -> UInt64 {
        var pause = min(pauseMs, pauseMaxMs)
        for _ in 0..<max(0, min(deaths, 64)) {
            guard pause < pauseMaxMs else { break }
            pause = min(pause * 2, pauseMaxMs)
        }
        return pause
    }
}
