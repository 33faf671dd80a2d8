package import EnergyRules

/// A floor's baseline as the contract has it:
/// `{"piano","timezone":"UTC","buckets":[{"weekday","slot","metrics":{"kw":{"mean","sd","count"},…}}]}`.
///
/// `weekday` is 0 (Monday) to 6, `slot` the half hour of the day, 0 to 47, both by the clock of `timezone` (`UTC`, or
/// `UTC+01:00`). Only half hours in which the floor has reported are there, in the order of the week, and of each the
/// metrics that it has values of. `mean` and `sd` are in the metric's unit (kW, A, V, kWh from one reading to the
/// next); `sd` is the sample's standard deviation, 0 for a single value.
package struct BaselineDocument: Equatable, Sendable, Encodable {
    /// The floor.
    package let piano: Int

    /// What is usual there.
    package let baseline: Baseline

    /// The document of a floor's baseline.
    package init(piano: Int, baseline: Baseline) {
        self.piano = piano
        self.baseline = baseline
    }

    private enum CodingKeys: String, CodingKey {
        case piano, timezone, buckets
    }

    private struct BucketDocument: Encodable {
        let weekday: Int
        let slot: Int
        let metrics: [String: MetricDocument]
    }

    private struct MetricDocument: Encodable {
        let mean: Double
        let sd: Double
        let count: Int
    }

    /// Writes the members of the contract.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(piano, forKey: .piano)
        try container.encode(
            BaselineSettings.zoneName(utcOffsetMinutes: baseline.utcOffsetMinutes), forKey: .timezone)
        let buckets = baseline.places.compactMap { place -> BucketDocument? in
            guard let bucket = baseline[place] else { return nil }
            var metrics: [String: MetricDocument] = [:]
            for metric in Metric.allCases where bucket[metric].count > 0 {
                metrics[metric.rawValue] = MetricDocument(
                    mean: bucket[metric].mean, sd: bucket[metric].standardDeviation, count: bucket[metric].count)
            }
            return BucketDocument(weekday: place.weekday, slot: place.slot, metrics: metrics)
        }
        try container.encode(buckets, forKey: .buckets)
    }

    /// The document's bytes.
    package func encoded() throws -> [UInt8] { try EnergyJSON.encode(self) }
}
