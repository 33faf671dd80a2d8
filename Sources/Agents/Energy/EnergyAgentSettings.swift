package import EnergyRules

/// Every number of the energy agents and of what they keep in the cluster, with unit and reason.
package struct EnergyAgentSettings: Sendable {
    /// Numbers of the rules.
    package var rules = EnergySettings()

    /// How long a reading stays in the history, ms: 30 days.
    package var historyTTLMs: UInt64 = 30 * 86_400_000

    /// Floors whose history is kept when none are named: the first thousand seen. Beyond that the topic's retention
    /// is the history.
    package var keptFloorsMax = 1_000

    /// Timestamps in a floor's index: the source system's `--index-size`.
    package var indexMax = 500

    /// Most readings that one listing gives.
    package var listMax = 1_000

    /// Notifications that are kept: the newest thousand (`NOTIFY_BUFFER_SIZE`).
    package var notificationsMax = 1_000

    /// New alerts after which the oldest beyond the bound are removed; between two cleanings the store holds at most
    /// this many too many of each writer.
    package var notificationsTrimEvery = 50

    /// Most alert keys that a listing looks at: ten times what is kept, so that a bound exists even if nobody trims.
    package var notificationsScanMax = 10_000

    /// Equal alerts (floor and type) less than this apart are one, ms of the readings' time
    /// (`NOTIFY_SUPPRESS_SECS`, 60 s).
    package var suppressMs: Int64 = 60_000

    /// Silences in force at once: each alert is compared with all of them.
    package var silencesMax = 500

    /// Most silences that a listing looks at: twice what may be, since two gateways may add the last one at the same
    /// time.
    package var silencesScanMax = 1_000

    /// Observations of a floor that wait before its baseline learns them: between half of this and the whole, another
    /// number for each floor, so that floors which report together are not written together. A baseline of 64 KiB is
    /// then written every 15 to 30 minutes of readings each 30 s, and a detector's state carries at most 4 KiB of
    /// observations until that is done.
    package var baselineEvery = 60 {
        didSet { baselineEvery = max(1, baselineEvery) }
    }

    /// Observations of one floor that may wait in its stored state, 16 KiB; with more, when a consumer catches up, the
    /// baseline learns them before the state is stored.
    package var baselineWaitingMax = 240

    /// Requests of one batch that are in flight at once: enough to fill a round trip, a fraction of what the client
    /// takes.
    package var inFlightMax = 256

    /// Times a compare-and-set is tried again on one document before the caller is told that it is contended.
    package var casAttemptsMax = 16

    /// Readings that wait for a cluster out of reach; the oldest go first, counted.
    package var bufferMax = 10_000

    /// Readings published at once.
    package var publishBatchMax = 1_000

    /// Readings that one call of the API may carry: more do not fit into its body of 1 MiB.
    package var inputMax = 10_000

    /// First and longest pause before a cluster out of reach is tried again, ms; it doubles in between.
    package var pausesMs: ClosedRange<UInt64> = 100...10_000

    /// Floors whose state one detector or ingestor keeps in memory before it starts afresh from the cluster.
    package var floorsInMemoryMax = 200_000

    /// Partitions of the three topics when they are made. A floor's readings are in one of them.
    package var partitions: UInt32 = 8

    /// The defaults.
    package init() {}
}
