import Wire

/// What a scenario of topics is aimed at.
enum LogAim: Sendable {
    /// Anything.
    case anything
    /// One node is meant to have the reign, loses it and gets it back, while messages come again from reigns before.
    case returns
    /// Secondaries fall out of the in-sync set and come back, while changes of the set time out.
    case sets
}

/// What the clients of a scenario do with topics, and how the topics are kept.
struct LogPlan: Sendable {
    struct Topic: Sendable {
        let name: String
        var configuration: TopicConfiguration
    }

    /// Publishes batches to a partition, one after the other.
    struct Producer: Sendable {
        /// Which partition, counted over all topics.
        let partition: Int
        /// Whether it numbers its batches, and sends one again until it is answered.
        var isNumbered: Bool
        let batches: Int
        let recordsMax: Int
        /// Bytes of a record's value beside its label.
        let bytesMax: Int
        let thinkMaxMs: UInt64
        /// How long it waits for an answer before it tries again.
        let patienceMs: UInt64
        /// How long it tries in all.
        let deadlineMs: UInt64
        /// Chance that it leaves out a number, which the log refuses; it begins anew then.
        var skips = 0.0
        /// The keys of its records; nil for records without one.
        var keys: RecordKeys?
    }

    /// Reads a partition over and over.
    struct Consumer: Sendable {
        let partition: Int
        let bytesMax: UInt32
        let waitMs: UInt32
        let thinkMaxMs: UInt64
        let patienceMs: UInt64
        /// Chance that it begins anew somewhere before.
        var goesBack: Double
    }

    var topics: [Topic] = []
    var producers: [Producer] = []
    var consumers: [Consumer] = []

    var faults: [LogFault] = []

    /// The topic of each partition, and its index there.
    var partitions: [(topic: Int, index: UInt32)] {
        topics.enumerated().flatMap { topic, planned in
            (0..<planned.configuration.partitions).map { (topic, $0) }
        }
    }
}
