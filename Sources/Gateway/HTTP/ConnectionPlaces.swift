import HummingbirdCore
import Logging
import NIOCore
import Wire

/// The bound on open connections: while all places are taken, nothing is accepted, and those who come wait in the
/// socket's queue. A connection that is silent is closed after `idleMs`.
struct ConnectionPlaces: AvailableConnectionsDelegate {
    let most: Int
    let metrics: GatewayMetrics
    let logger: Logger
    private var taken = 0
    private var lines = LogPause()

    init(most: Int, metrics: GatewayMetrics, logger: Logger) {
        self.most = most
        self.metrics = metrics
        self.logger = logger
    }

    mutating func connectionOpened() {
        taken += 1
        guard taken == most else { return }
        metrics.count(.connectionsFull)
        guard let skipped = lines.next(nowMs: NIODeadline.now().uptimeNanoseconds / 1_000_000) else { return }
        logger.warning(
            "all places for connections are taken: new ones wait until one ends",
            metadata: ["most": "\(most)", "since the last line": "\(skipped + 1) times"])
    }

    mutating func connectionClosed() { taken -= 1 }

    func isAcceptingNewConnections() -> Bool { taken < most }
}
