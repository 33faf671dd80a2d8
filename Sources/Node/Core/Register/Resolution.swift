package import Wire

/// What became of versions that an operation has proposed and lost sight of, judged by the newest cell at a quorum that
/// has promised a later ballot.
package enum Resolution: Hashable, Sendable {
    /// It took effect under this version.
    case applied(Ballot)
    /// None of them was ever read or overwritten by anybody; writing anew is safe.
    case neverApplied
    /// It cannot be told.
    case unknown

    /// Judges. `ours` holds all versions of the operation, at least one.
    package static func judge(
        newest: Cell?, ours: [Ballot], areOverwrites: Bool = false, hasSounded: Bool = false
    ) -> Resolution {
        guard let oldest = ours.min() else { return .neverApplied }
        guard let newest else { return .neverApplied }
        // Ours is the newest: committing it makes it true.
        if ours.contains(newest.version) { return .applied(newest.version) }
        // A change that was founded on ours: ours was true before it.
        if let base = newest.base, ours.contains(base) { return .applied(base) }
        // The newest, or what it was founded on, is older than all of ours: had one of ours been chosen, a change
        // founded on an older version could not have been.
        if newest.version < oldest { return .neverApplied }
        if let base = newest.base, base < oldest { return .neverApplied }
        // A later overwrite tells nothing about what it has overwritten; but when ours began above everything that a
        // majority had seen, it may stand before the later one, whether anybody saw it or not.
        if areOverwrites, hasSounded, newest.base == nil, let latest = ours.max(), newest.version > latest {
            return .applied(latest)
        }
        return .unknown
    }
}
