/// A fault that hits whoever is primary of a partition when it begins.
struct LogFault: Sendable {
    enum Kind: Sendable {
        /// The primary stops.
        case crash
        /// The primary stops and starts again before anybody notices.
        case restart
        /// The primary is taken for dead, and is not.
        case falseDeath
        /// What the primary sends reaches nobody, and in the end it is taken for dead.
        case silence
        /// The primary hears nobody, and in the end it is taken for dead.
        case deafness
        /// The primary is cut off, and in the end it is taken for dead.
        case isolation
        /// What the primary sends does not reach one of the others.
        case lag
        /// What one of the others sends does not reach the primary.
        case unheard
        /// One of the others stops.
        case secondaryCrash
        /// The primary's disk takes no writes.
        case fullDisk
        /// The primary's process stands still.
        case pause
        /// The primary, or one of the others, loses its database.
        case loss
        /// A batch that the primary, or one of the others, has stored fails its checksum from then on.
        case damage

        /// Those that any scenario may have; others are drawn apart.
        static let common: [Kind] = [
            .crash, .restart, .falseDeath, .silence, .deafness, .isolation, .lag, .unheard, .secondaryCrash, .fullDisk,
            .pause, .loss,
        ]
    }

    let kind: Kind
    /// Which partition, counted over all topics.
    let partition: Int
    /// Since the end of the founding, in milliseconds.
    let atMs: UInt64
    /// How long it lasts.
    let forMs: UInt64
    /// Decides whom it hits beside the primary, and the like.
    let draw: UInt64
}
