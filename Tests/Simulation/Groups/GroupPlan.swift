import Wire

/// What the members of consumer groups do in a scenario.
struct GroupPlan: Sendable {
    /// How many members compete for each partition.
    var members = 2
    /// How many partitions there are.
    var partitions = 1
    /// Records of each partition: member after member hands them on and commits.
    var records: Offset = 100
    /// Records that are handed on before a commit, at most.
    var recordsMax = 3
    /// How long handing on takes, in milliseconds, at most.
    var handlingMaxMs: UInt64 = 20
    /// The pause of a member that did not get a partition, in milliseconds, at most.
    var pauseMaxMs: UInt64 = 100
    /// How long a member waits for an answer, in milliseconds.
    var patienceMs: UInt64 = 1_000
    /// What the leases are bounded by.
    var bounds = GroupLease.Bounds(lengthMs: 1_000, driftMaxMs: 100, marginMs: 100)
    /// Chances, at each step of a member: that it stops and another one comes in its place, that it stands still, that it
    /// gives the partition back, that an operator sets the position back.
    var crashes = 0.0
    var pauses = 0.0
    var releases = 0.0
    var seeks = 0.0
    /// How long a member stands still, in milliseconds, at most.
    var pausedMaxMs: UInt64 = 1_000
    /// For how long members do all this, in milliseconds.
    var spanMs: UInt64 = 3_000
}
