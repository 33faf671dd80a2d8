package import EnergyRules
import Logging
package import StormoClient
import Wire

extension EnergyStore {
    /// The silences in force, in the order in which they were made.
    package func silences() async throws(ClientError) -> [SilenceDocument] {
        let nowMs = EnergyTime.nowMs()
        let items = try await client.scanAll(prefix: EnergyKeys.silencesPrefix, max: settings.silencesScanMax)
        return items.compactMap { item in
            VersionedValue(item.cell).flatMap { decode(SilenceDocument.self, $0.value, item.key) }
        }.filter { $0.silence.untilMs > nowMs }
    }

    /// Puts a silence, validated before (``SilenceDocument/parse(_:nowMs:rules:)``), in force for every alert that is
    /// raised after this has returned. The cluster forgets it when it ends. Throws ``ClientError/overloaded(_:)`` while
    /// as many are in force as may be.
    package func addSilence(_ silence: Silence) async throws(ClientError) -> SilenceDocument {
        let present = try await silences().count
        guard present < settings.silencesMax else {
            throw .overloaded("there are \(present) silences, which is as many as may be: remove some first")
        }
        let nowMs = EnergyTime.nowMs()
        var generator = SystemRandomNumberGenerator()
        let id = SilenceDocument.makeID(nowMs: nowMs, using: &generator)
        let document = SilenceDocument(id: id, silence: silence)
        guard let value = bytes(of: document) else { throw .refused(.invalid, "a silence that is no JSON") }
        let answer = try await client.compareAndSet(
            EnergyKeys.silence(id: id), value, if: .absent, ttlMs: Self.ttlMs(of: silence, nowMs: nowMs))
        // With 64 random bits in one millisecond it does not happen; but what is not stored must not be answered for.
        guard answer.applied else { throw .overloaded("another silence has the name \(id): try again") }
        logger.notice("silence added", metadata: ["id": "\(id)", "until": "\(EnergyTime.text(silence.untilMs))"])
        return document
    }

    /// Ends a silence; false when there is none of this id. Every alert raised after it has returned is told again.
    package func removeSilence(id: String) async throws(ClientError) -> Bool {
        guard SilenceDocument.isID(id) else { return false }
        let key = EnergyKeys.silence(id: id)
        guard try await client.get(key) != nil else { return false }
        try await client.delete(key)
        logger.notice("silence removed", metadata: ["id": "\(id)"])
        return true
    }

    /// The alerts with their marks as the silences in force now have it.
    func silencing(_ alerts: [AlertDocument]) async throws(ClientError) -> [AlertDocument] {
        guard !alerts.isEmpty else { return [] }
        let silences = try await silences()
        let nowMs = EnergyTime.nowMs()
        return alerts.map { alert in
            var marked = alert
            marked.isSilenced = silences.contains { $0.silence.covers(alert, at: nowMs) }
            return marked
        }
    }

    /// How long the cluster keeps a silence, ms: until it ends, within what a register's life may be.
    static func ttlMs(of silence: Silence, nowMs: Int64) -> UInt64 {
        let range = WireLimits.ttlMsRange
        return min(range.upperBound, max(range.lowerBound, UInt64(clamping: silence.untilMs - nowMs)))
    }
}
