import Energy
import EnergyRules
import Logging
import ServiceLifecycle
import StormoClient
import Wire
import WireTransport

/// A detector that first puts thresholds in force, when nobody has set any: a new cluster then judges its floors by what
/// they are, and what somebody has set later stays.
struct InitialThresholds: Service {
    let thresholds: Thresholds
    let store: EnergyStore
    let detector: Detector
    let logger: Logger

    /// Reads a file of the form of `GET /admin/thresholds`.
    static func load(_ path: String) throws(ConfigurationError) -> Thresholds {
        do {
            return try ThresholdsDocument.parse(try Files.read(path, bytesMax: 1 << 20))
        } catch { throw .refused("\(path) holds no thresholds: \(error)") }
    }

    func run() async throws {
        try await setUnlessSet()
        try await detector.run()
    }

    private func setUnlessSet() async throws {
        var backoff = Backoff(pauseMs: 50...2_000)
        var random = SystemRandomNumberGenerator()
        while !Task.isShuttingDownGracefully {
            do throws(ClientError) {
                let answer = try await store.setThresholds(thresholds, if: .absent)
                if answer.applied { logger.notice("thresholds of the file are in force") }
                return
            } catch {
                if case .closed = error { return }
                logger.warning("thresholds of the file cannot be set yet", metadata: ["error": "\(error)"])
            }
            try await Task.sleep(for: .milliseconds(backoff.pause(jitter: random.next())))
        }
    }
}
