/// How many bytes work in the background may move at present, so that live traffic keeps its latency.
struct ByteBudget {
    private var bytes = 0
    private var filledMs: UInt64?

    /// Lets what time has brought in; never more than a second's worth.
    mutating func refill(nowMs: UInt64, bytesPerSecond: Int) {
        let passed = min(1_000, nowMs - (filledMs ?? nowMs - min(nowMs, 1_000)))
        bytes = min(bytesPerSecond, bytes + bytesPerSecond * Int(passed) / 1_000)
        filledMs = nowMs
    }

    /// Whether something may be moved.
    var isOpen: Bool { bytes > 0 }

    /// Something was moved.
    mutating func spend(_ count: Int) { bytes -= count }
}
