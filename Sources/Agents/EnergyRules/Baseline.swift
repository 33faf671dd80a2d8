/// What is usual on one floor: for each half hour of the week, count, mean and spread of each metric.
///
/// It learns from one observation after the other. What is not newer than the newest one learned changes nothing, so
/// observations may come again, from anywhere, and the baseline is the same: exactly the one that a single pass over
/// all of them gives, to the last bit.
package struct Baseline: Equatable, Sendable {
    /// Half hours of a day.
    package static let slotsPerDay = 48

    /// Half hours of a week: the most buckets that there are.
    package static let bucketCount = 7 * slotsPerDay

    /// One half hour of the week, by metric.
    package struct Bucket: Equatable, Sendable {
        private var kw = RunningStatistics()
        private var amp = RunningStatistics()
        private var volt = RunningStatistics()
        private var dkwh = RunningStatistics()

        /// A half hour of which nothing is known.
        package init() {}

        /// What is known of one metric.
        package subscript(metric: Metric) -> RunningStatistics {
            get {
                switch metric {
                case .kw: kw
                case .amp: amp
                case .volt: volt
                case .dkwh: dkwh
                }
            }
            set {
                switch metric {
                case .kw: kw = newValue
                case .amp: amp = newValue
                case .volt: volt = newValue
                case .dkwh: dkwh = newValue
                }
            }
        }
    }

    /// A half hour of the week.
    package struct Place: Hashable, Sendable {
        /// Number of the half hour in the week, from Monday 00:00: 0 to 335.
        package let index: Int

        /// The half hour of a number; nil when the week has no such.
        package init?(index: Int) {
            guard (0..<Baseline.bucketCount).contains(index) else { return nil }
            self.index = index
        }

        /// The half hour that a moment (ms since 1970) lies in, at an offset from UTC.
        package init(ms: Int64, utcOffsetMinutes: Int) {
            index = CivilTime.halfHourOfWeek(ms: ms, utcOffsetMinutes: utcOffsetMinutes)
        }

        /// Weekday, 0 (Monday) to 6.
        package var weekday: Int { index / Baseline.slotsPerDay }

        /// Half hour of the day, 0 to 47.
        package var slot: Int { index % Baseline.slotsPerDay }
    }

    /// Offset from UTC of the clock by which weekdays and half hours are told, minutes.
    package let utcOffsetMinutes: Int

    /// Time of the newest observation learned, ms since 1970; nil for none.
    package private(set) var throughMs: Int64?

    private var buckets: [Bucket?]

    /// An empty baseline. With `throughMs` it is one that shall not learn again what came up to that moment.
    package init(utcOffsetMinutes: Int = 0, throughMs: Int64? = nil) {
        self.utcOffsetMinutes = utcOffsetMinutes
        self.throughMs = throughMs
        buckets = Array(repeating: nil, count: Self.bucketCount)
    }

    /// What is known of a half hour; nil for nothing. Stored baselines are put together through it.
    package subscript(place: Place) -> Bucket? {
        get { buckets[place.index] }
        set { buckets[place.index] = newValue }
    }

    /// The half hours of which something is known, in the order of the week.
    package var places: [Place] {
        buckets.indices.compactMap { buckets[$0] == nil ? nil : Place(index: $0) }
    }

    /// Learns one observation; false when it is not newer than what has been learned, and nothing has changed.
    @discardableResult
    package mutating func learn(_ observation: Observation) -> Bool {
        if let throughMs, observation.timestampMs <= throughMs { return false }
        throughMs = observation.timestampMs
        let place = Place(ms: observation.timestampMs, utcOffsetMinutes: utcOffsetMinutes)
        var bucket = buckets[place.index] ?? Bucket()
        for metric in Metric.allCases {
            if let value = observation[metric] { bucket[metric].add(value) }
        }
        buckets[place.index] = bucket
        return true
    }
}
