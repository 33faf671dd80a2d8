public import Wire

/// What operators ask about consumer groups. A group exists by the positions that it keeps.
extension StormoClient {
    /// All groups, in the order of their names. Positions in topics that exist no more are passed over.
    public func groups() async throws(ClientError) -> [GroupSummary] { try await GroupDirectory(client: self).groups() }

    /// How far a group is in all partitions of the topics that it reads; nil when there is no such group. Throws
    /// `refused(.invalid)` for a name that none can have.
    public func group(_ name: String) async throws(ClientError) -> GroupState? {
        try await GroupDirectory(client: self).group(name)
    }

    /// Sets where a group goes on in a topic, in one partition or in all of them, and gives the places that were set.
    /// Whoever holds a partition loses it: it cannot commit any more, and whoever takes it next begins there. A group that
    /// does not exist is made.
    ///
    /// Throws `refused(.unknownTopic)` and `refused(.partitionOutOfRange)` before anything is changed; after another error
    /// some of the partitions may have been set. `outcomeUnknown` when nobody can tell: setting it again does no harm.
    @discardableResult
    public func seek(
        group: String, topic: String, partition: UInt32? = nil, to place: OffsetQuery
    ) async throws(ClientError) -> [RecordPosition] {
        try await GroupDirectory(client: self).seek(group, topic, partition: partition, to: place)
    }

    /// Deletes a group's positions; it is refused while members read for it unless it is forced. Members that are left
    /// begin anew, as a group that never committed.
    public func deleteGroup(_ name: String, isForced: Bool = false) async throws(ClientError) -> GroupDeletion {
        try await GroupDirectory(client: self).delete(name, isForced: isForced)
    }
}
