import NodeCore
package import Wire

extension MemoryStore {
    /// Loses all registers, those of the ring among them, and all logs; the facts stay, and say so.
    package func lose(_ reason: String = "the database is damaged") {
        damaged = []
        for key in registers.keys.sorted() { _ = apply(.forget(key)) }
        loseLogs()
        _ = apply(.fact(.amnesia, Array(reason.utf8)))
        _ = sync()
    }

    /// Loses all logs, and nothing else; the facts say so.
    package func loseLogs() {
        for log in recoveredLogs() { _ = apply(.remove(log.partition)) }
        _ = apply(.fact(.logsLost, LogLosses.encode(LogLosses.decode(fact(.logsLost)) + 1)))
        _ = sync()
    }

    /// Damage as the real store finds it: by the register, and by every page that it is on.
    func expectWhole(_ keys: some Sequence<Key>) throws(StoreError) {
        guard !damaged.isEmpty, let key = keys.first(where: { damaged.contains($0) }) else { return }
        throw .corrupt("the state of key \"\(key)\" fails its checksum", key: key)
    }

    /// Damage of batches as the real store finds it: by all that is read with them.
    func expectWhole(_ batches: [RecordBatch], of partition: PartitionID) throws(StoreError) {
        guard !damagedBatches.isEmpty, let logID = logFacts(partition)?.logID,
            let batch = batches.first(where: { damagedBatches.contains(StoredBatch($0, partition, logID)) })
        else { return }
        throw .corrupt("the batch of partition \(partition) at offset \(batch.baseOffset) is damaged")
    }

    /// A stored batch fails its checksum from now on, as long as it is there.
    package func damage(_ batch: RecordBatch, of partition: PartitionID) {
        guard let logID = logFacts(partition)?.logID else { return }
        damagedBatches.insert(StoredBatch(batch, partition, logID))
    }

    /// How many batches that it holds are damaged; of one partition when it is given.
    package func damagedCount(_ partition: PartitionID? = nil) -> Int {
        guard !damagedBatches.isEmpty else { return 0 }
        return recoveredLogs().reduce(0) { sum, log in
            guard partition == nil || partition == log.partition else { return sum }
            return sum
                + allBatches(log.partition).count {
                    damagedBatches.contains(StoredBatch($0, log.partition, log.facts.logID))
                }
        }
    }
}

/// A batch in one copy of a partition: what comes there again after it was cut, or into another copy, is another one.
struct StoredBatch: Hashable {
    let partition: PartitionID
    let logID: LogID
    let base: Offset
    let epoch: LogEpoch

    init(_ batch: RecordBatch, _ partition: PartitionID, _ logID: LogID) {
        self.partition = partition
        self.logID = logID
        (base, epoch) = (batch.baseOffset, batch.epoch)
    }
}
