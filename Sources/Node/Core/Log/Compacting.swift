import Wire

/// Compaction by key, of one partition at a time: one table of keys is in memory.
struct Compacting {
    /// The pass under way.
    var pass: CompactionPass?
    /// What it may read.
    var budget = ByteBudget()
    /// When the node looks for the next partition.
    var nextLookMs: UInt64 = 0
}

/// Why a pass ended early. Nothing is taken from what cannot be read.
private enum CompactionError: Error, CustomStringConvertible {
    /// The store could not give batches.
    case store(StoreError)
    /// The records of the batch at an offset cannot be read.
    case batch(Offset, WireError)

    var description: String {
        switch self {
        case .store(let error): "\(error)"
        case .batch(let offset, let error): "the batch at offset \(offset): \(error)"
        }
    }
}

/// Every replica compacts its own copy, and only below the high watermark that it knows: what stands there is on every
/// replica that may ever be primary, so nothing has to be agreed. Offsets, ends, epochs and the numbers of producers stay;
/// records without a key stay too.
///
/// A deletion marker, a record with a key and no value, takes the older records of its key away like any other. It goes
/// itself when it is old enough and every replica of the partition has it on disk, and only at the primary, which knows
/// that: a copy that has an older record and never hears of the marker would bring the record back. For the same reason a
/// secondary that finds a marker gone from what it still lacks begins its copy anew; see `mayLackMarkers`.
extension Node {
    mutating func tickCompaction() {
        compacting.budget.refill(nowMs: time.monotonicMs, bytesPerSecond: limits.compactionBytesPerSecond)
        // Clients' writes go first.
        guard store.readOnlyReason == nil, store.backlogBytes < limits.backlogBytesMax / 2 else { return }
        if compacting.pass == nil { beginPass() }
        guard compacting.budget.isOpen, let pass = compacting.pass else { return }
        guard let partition = partitions[pass.partition], partition.isCompacted, let log = partition.log,
            partition.generation == pass.generation, log.facts.logID == pass.logID
        else {
            compacting.pass = nil
            return
        }
        do throws(CompactionError) {
            if let end = pass.end {
                try thinOut(partition, log, pass, end)
            } else {
                try gatherKeys(partition, log, pass)
            }
        } catch {
            compacting.pass = nil
            partition.nextCompactionMs = time.monotonicMs + limits.compactionRetryPauseMs
            counters.compactionsFailed += 1
            note(
                .error,
                "\(identity.name) cannot compact partition \(pass.partition), which stays as it is: \(error)")
        }
    }

    // MARK: Which partition

    /// Looks for the partition that has most to gain.
    private mutating func beginPass() {
        guard time.monotonicMs >= compacting.nextLookMs else { return }
        compacting.nextLookMs = time.monotonicMs + limits.compactionLookMs
        var best: (partition: Partition, dirty: UInt64)?
        for id in partitionOrder {
            guard let partition = partitions[id], partition.isCompacted, let dirty = dirtyBytes(partition),
                best.map({ $0.dirty < dirty }) ?? true
            else { continue }
            best = (partition, dirty)
        }
        guard let partition = best?.partition, let log = partition.log, let horizon = horizon(partition) else { return }
        compacting.pass = CompactionPass(
            partition.id, logID: log.facts.logID, generation: partition.generation, horizon: horizon,
            from: max(log.facts.firstOffset, cleanPart(partition, log).end))
    }

    /// Bytes that came since the last pass, when they are worth another one; nil when not.
    private func dirtyBytes(_ partition: Partition) -> UInt64? {
        guard let log = partition.log, time.monotonicMs >= partition.nextCompactionMs,
            let horizon = horizon(partition), horizon > log.facts.firstOffset
        else { return nil }
        let clean = cleanPart(partition, log)
        let dirty = log.bytes - min(log.bytes, clean.bytes)
        if horizon > clean.end, dirty >= limits.compactionBytesMin,
            dirty >= clean.bytes / 100 * UInt64(limits.compactionDirtyPercent)
        {
            return dirty
        }
        // A pass reads the whole log: not one for every marker.
        guard let marker = clean.marker, isDue(marker), isEverywhere(marker.offset, partition),
            time.wallMs >= clean.madeMs + limits.deletionMarkerAgeMs / 4
        else { return nil }
        return dirty
    }

    /// What is known to be compact of this copy.
    private func cleanPart(_ partition: Partition, _ log: ReplicaLog) -> CleanPart {
        let clean = partition.clean
        return clean.logID == log.facts.logID && clean.end <= log.end ? clean : CleanPart()
    }

    /// The end of what may be compacted.
    private func horizon(_ partition: Partition) -> Offset? {
        guard let log = partition.log else { return nil }
        if Mutation.compactsAboveWatermark.isOn { return log.end }
        guard case .primary(let primary) = partition.role else { return min(log.facts.highWatermark, log.end) }
        return primary.isReady ? min(primary.highWatermark, log.end) : nil
    }

    // MARK: The pass

    /// One slice of the first way: the keys of what came since the last pass.
    private mutating func gatherKeys(
        _ partition: Partition, _ log: ReplicaLog, _ pass: CompactionPass
    ) throws(CompactionError) {
        var isOver = true
        for batch in try slice(of: pass, below: pass.horizon) {
            isOver = batch.endOffset > pass.horizon || pass.keyBytes >= limits.compactionKeyBytesMax
            if isOver { break }
            pass.gather(try outlines(of: batch))
            pass.next = batch.endOffset
        }
        if isOver || pass.next >= pass.horizon {
            pass.end = pass.next
            pass.next = log.facts.firstOffset
        }
    }

    /// One slice of the second way: records that have a newer one of their key go.
    private mutating func thinOut(
        _ partition: Partition, _ log: ReplicaLog, _ pass: CompactionPass, _ end: Offset
    ) throws(CompactionError) {
        var changed: [RecordBatch] = []
        var saved = 0
        var isOver = true
        for batch in try slice(of: pass, below: end) {
            isOver = batch.endOffset > end
            if isOver { break }
            if let compacted = try thinned(batch, partition, pass) {
                saved += batch.encodedCount - compacted.encodedCount
                changed.append(compacted)
            }
            pass.next = batch.endOffset
        }
        if !changed.isEmpty {
            _ = store.apply(.compact(partition.id, changed))
            partition.log?.shrink(by: saved)
            counters.bytesCompacted += UInt64(max(0, saved))
        }
        if isOver || pass.next >= end { finish(pass, partition, log, end) }
    }

    /// A batch without what may go; nil when all of it stays.
    private mutating func thinned(
        _ batch: RecordBatch, _ partition: Partition, _ pass: CompactionPass
    ) throws(CompactionError) -> RecordBatch? {
        var gone: Set<Offset> = []
        var markers: UInt64 = 0
        for outline in try outlines(of: batch) {
            if pass.isSuperseded(outline) {
                gone.insert(outline.offset)
            } else if outline.isMarker {
                let marker = CleanPart.Marker(offset: outline.offset, appendedMs: batch.appendedMs)
                if isDue(marker), isEverywhere(marker.offset, partition) {
                    gone.insert(outline.offset)
                    markers += 1
                } else if pass.marker == nil {
                    pass.marker = marker
                }
            }
        }
        guard !gone.isEmpty else { return nil }
        counters.recordsCompacted += UInt64(gone.count)
        counters.markersPurged += markers
        do throws(WireError) {
            return try batch.compacted(keeping: { !gone.contains($0.offset) }, purging: markers > 0)
        } catch { throw .batch(batch.baseOffset, error) }
    }

    private mutating func finish(_ pass: CompactionPass, _ partition: Partition, _ log: ReplicaLog, _ end: Offset) {
        compacting.pass = nil
        counters.compactionPasses += 1
        let beyond = bytes(of: partition.id, from: end, limit: log.end)
        let all = partition.log?.bytes ?? 0
        partition.clean = CleanPart(
            logID: pass.logID, end: end, bytes: all - min(all, beyond), marker: pass.marker, madeMs: time.wallMs)
    }

    /// The batches that one tick works on: what is packed well is much work.
    private mutating func slice(
        of pass: CompactionPass, below limit: Offset
    ) throws(CompactionError) -> ArraySlice<RecordBatch> {
        guard pass.next < limit else { return [] }
        do throws(StoreError) {
            let found = try store.batches(
                pass.partition, from: pass.next, limit: limit, bytesMax: limits.compactionSliceBytes)
            var count = 0
            var unpacked = 0
            for batch in found {
                unpacked += Int(batch.rawCount)
                guard count == 0 || unpacked <= limits.compactionSliceBytes else { break }
                compacting.budget.spend(batch.encodedCount)
                count += 1
            }
            return found.prefix(count)
        } catch { throw .store(error) }
    }

    private func outlines(of batch: RecordBatch) throws(CompactionError) -> [RecordBatch.Outline] {
        do throws(WireError) { return try batch.outlines() } catch { throw .batch(batch.baseOffset, error) }
    }

    // MARK: Deletion markers

    /// Whether readers have had the time to see a marker.
    private func isDue(_ marker: CleanPart.Marker) -> Bool {
        time.wallMs >= marker.appendedMs + limits.deletionMarkerAgeMs
    }

    /// Whether this node is the primary and every replica has told it, in this epoch, that it holds an offset.
    private func isEverywhere(_ offset: Offset, _ partition: Partition) -> Bool {
        guard let primary = partition.primary, primary.isReady else { return false }
        // Who is no replica any more may become one again with what it had: it has to notice that it was left out.
        return primary.followers.allSatisfy { $0.acknowledged > offset }
            && time.monotonicMs >= primary.lastDepartureMs + 2 * limits.operationTimeoutMs
    }

    /// Whether this copy may hold records that a marker has deleted which is gone from batches that come now: it was begun
    /// under another primary, or before a restart, or has not heard of the primary for a while. One that was begun under this
    /// primary in this epoch, and has been its secondary since, may not: the primary lets no marker go that one of its
    /// secondaries has not.
    func mayLackMarkers(_ partition: Partition, _ fresh: ArraySlice<RecordBatch>, epoch: LogEpoch) -> Bool {
        guard let log = partition.log, log.end > log.facts.firstOffset, partition.copiedIn != epoch else {
            return false
        }
        return fresh.contains(where: \.isPurged)
    }
}
