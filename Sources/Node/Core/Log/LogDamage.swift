import Wire

/// A copy of which a batch could not be read whole: it is given up, and made anew from the other replicas.
///
/// A primary first gives the reign to an heir, who has everything committed. The copy itself goes when another primary is
/// heard of: until then it may be the only one, and all of it but the damaged batch is still good.
extension Node {
    /// Takes note that reading a log has failed; says whether the reason is damage, which another replica can mend.
    mutating func noticeLogDamage(_ partition: Partition, _ error: StoreError) -> Bool {
        counters.storeErrors += 1
        guard case .corrupt(let detail, _) = error else { return false }
        guard !partition.isDamaged else { return true }
        partition.isDamaged = true
        counters.logsDamaged += 1
        note(
            .error,
            "\(identity.name)'s copy of partition \(partition.id) is damaged; it is given up as soon as another replica is primary: \(detail)"
        )
        if Mutation.damagedPrimaryDrops.isOn {
            stepDown(partition.id, because: "its copy is damaged")
            dropDamagedLog(partition)
        }
        return true
    }

    /// Gives up a damaged copy: another node is primary, so that it has all that is committed.
    mutating func dropDamagedLog(_ partition: Partition) {
        guard partition.isDamaged, !Mutation.damagedCopyKept.isOn else { return }
        partition.isDamaged = false
        dropLog(partition.id, because: "it is damaged", livesOn: true)
    }
}
