import Glibc
import Synchronization
import Wire

/// The client's hybrid clock: stamps its requests and takes in the stamps of answers.
final class ClientClock: Sendable {
    private let state: Mutex<HybridClock>

    /// A clock that refuses stamps further ahead than `driftMaxMs`.
    init(driftMaxMs: UInt64) { state = Mutex(HybridClock(driftMaxMs: driftMaxMs)) }

    /// A stamp for a request.
    func now() -> HybridTime {
        let physicalMs = Self.physicalMs()
        return state.withLock { $0.now(physicalMs: physicalMs) }
    }

    /// Takes in a node's stamp; when it is too far ahead, gives by how many milliseconds it is, and takes nothing in.
    func merge(_ time: HybridTime) -> UInt64? {
        let physicalMs = Self.physicalMs()
        let accepted = state.withLock { $0.merge(time, physicalMs: physicalMs) }
        return accepted ? nil : time.milliseconds - physicalMs
    }

    /// This host's clock, in milliseconds since 1970.
    static func physicalMs() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(max(0, time.tv_sec)) * 1_000 + UInt64(time.tv_nsec) / 1_000_000
    }
}
