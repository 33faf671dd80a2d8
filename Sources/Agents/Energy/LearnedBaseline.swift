import EnergyRules

/// A floor's baseline as it is kept in the cluster, under `energy:p{n}:baseline`, with how far it has learned.
///
/// What decides what is learned is the time of the newest observation in it, as with the detector's state: it also
/// holds when the topic has been made anew and counts from zero. Partition and offset tell operators where that is.
///
/// In JSON a bucket is an array, `[half hour of the week, then count, mean and sum of squared distances of kw, amp,
/// volt and dkwh]`: at most 336 of them, about 64 KiB.
struct LearnedBaseline: Equatable, Sendable {
    /// Partition of the readings topic that the floor's readings are in.
    var partition: UInt32
    /// All of the floor's readings before this offset are learned.
    var offset: UInt64
    /// What has been learned.
    var baseline: Baseline

    /// What is to be stored once `observations` are learned, given what is stored (nil for nothing); nil when there is
    /// nothing new among them. A baseline that was learned by another clock is begun anew: its buckets are other half
    /// hours.
    static func learning(
        _ observations: [Observation], stored: LearnedBaseline?, partition: UInt32, offset: UInt64,
        settings: BaselineSettings
    ) -> LearnedBaseline? {
        var baseline = stored?.baseline ?? Baseline(utcOffsetMinutes: settings.utcOffsetMinutes)
        if baseline.utcOffsetMinutes != settings.utcOffsetMinutes {
            baseline = Baseline(utcOffsetMinutes: settings.utcOffsetMinutes, throughMs: baseline.throughMs)
        }
        var isNew = false
        for observation in observations where baseline.learn(observation) { isNew = true }
        return isNew ? LearnedBaseline(partition: partition, offset: offset, baseline: baseline) : nil
    }
}

extension LearnedBaseline: Codable {
    enum CodingKeys: String, CodingKey {
        case partition, offset, buckets
        case throughMs = "through_ms"
        case utcOffsetMinutes = "utc_offset_minutes"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(partition, forKey: .partition)
        try container.encode(offset, forKey: .offset)
        try container.encodeIfPresent(baseline.throughMs, forKey: .throughMs)
        try container.encode(baseline.utcOffsetMinutes, forKey: .utcOffsetMinutes)
        var rows = container.nestedUnkeyedContainer(forKey: .buckets)
        for place in baseline.places {
            guard let bucket = baseline[place] else { continue }
            var row = rows.nestedUnkeyedContainer()
            try row.encode(place.index)
            for metric in Metric.allCases {
                try row.encode(bucket[metric].count)
                try row.encode(bucket[metric].mean)
                try row.encode(bucket[metric].squaredDistances)
            }
        }
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        partition = try container.decode(UInt32.self, forKey: .partition)
        offset = try container.decode(UInt64.self, forKey: .offset)
        var baseline = Baseline(
            utcOffsetMinutes: try container.decode(Int.self, forKey: .utcOffsetMinutes),
            throughMs: try container.decodeIfPresent(Int64.self, forKey: .throughMs))
        var rows = try container.nestedUnkeyedContainer(forKey: .buckets)
        while !rows.isAtEnd {
            var row = try rows.nestedUnkeyedContainer()
            guard let place = Baseline.Place(index: try row.decode(Int.self)), baseline[place] == nil else {
                throw Self.damaged(row, "a half hour that is not in the week, or there twice")
            }
            var bucket = Baseline.Bucket()
            for metric in Metric.allCases {
                guard
                    let statistics = RunningStatistics(
                        count: try row.decode(Int.self), mean: try row.decode(Double.self),
                        squaredDistances: try row.decode(Double.self))
                else { throw Self.damaged(row, "numbers of \(metric.rawValue) that no series has") }
                bucket[metric] = statistics
            }
            baseline[place] = bucket
        }
        self.baseline = baseline
    }

    private static func damaged(_ row: any UnkeyedDecodingContainer, _ what: String) -> DecodingError {
        .dataCorrupted(DecodingError.Context(codingPath: row.codingPath, debugDescription: what))
    }
}
