import EnergyRules
import Logging
package import StormoClient
import Wire

extension EnergyStore {
    /// What is usual on a floor, up to the last reading that a detector has judged; nil for a floor of which none has
    /// judged any.
    package func baseline(floor: Int) async throws(ClientError) -> BaselineDocument? {
        // The observations that wait first: should they be learned meanwhile, they are found in the baseline, and are
        // not taken in twice. The other way round they could be missed.
        let detectorKey = EnergyKeys.detector(floor: floor)
        let judged = decode(DetectorDocument.self, try await client.get(detectorKey)?.value, detectorKey)
        let key = EnergyKeys.baseline(floor: floor)
        let stored = decode(LearnedBaseline.self, try await client.get(key)?.value, key)
        let learned = LearnedBaseline.learning(
            judged?.waiting ?? [], stored: stored, partition: judged?.partition ?? 0, offset: judged?.offset ?? 0,
            settings: settings.rules.baseline)
        return (learned ?? stored).map { BaselineDocument(piano: floor, baseline: $0.baseline) }
    }

    /// Learns observations of a floor: all that are newer than what its baseline has learned, in one compare-and-set.
    /// `offset` is the one behind the last of the floor's readings judged. False when somebody else has changed the
    /// baseline meanwhile, and nothing was written.
    func learn(
        _ observations: [Observation], floor: Int, partition: UInt32, offset: UInt64
    ) async throws(ClientError) -> Bool {
        let key = EnergyKeys.baseline(floor: floor)
        let found = try await client.get(key)
        let stored = decode(LearnedBaseline.self, found?.value, key)
        if let stored, stored.baseline.utcOffsetMinutes != settings.rules.baseline.utcOffsetMinutes {
            logger.notice("a baseline was learned by another clock and is begun anew", metadata: ["key": "\(key)"])
        }
        let learned = LearnedBaseline.learning(
            observations, stored: stored, partition: partition, offset: offset, settings: settings.rules.baseline)
        // Numbers that are no JSON cannot come of validated readings; what cannot be written is not tried for ever.
        guard let learned, let value = bytes(of: learned) else { return true }
        return try await client.compareAndSet(key, value, if: found.map { .version($0.version) } ?? .absent).applied
    }
}
