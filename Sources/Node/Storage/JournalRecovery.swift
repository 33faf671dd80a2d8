package import NodeCore
import Wire

extension Journal {
    /// Reads the journal after a start: `replay` gets every entry of the uses after `flushedUse` (what SQLite has) in
    /// order. All of them are durable when this returns.
    ///
    /// The tail of the newest segment is cut where its blocks end, when nothing shows that more had been durable. Any
    /// other damage throws `corrupt` with file and offset: then entries are missing that the node has answered for.
    /// `mayHaveGaps` says that some of the uses may have been flushed, so that their segments may be used again.
    package static func recover(
        disk: any JournalDisk, limits: JournalLimits, flushedUse: UInt64, mayHaveGaps: Bool = false,
        replay: (JournalEntry) throws(StorageOpenError) -> Void
    ) throws(StorageOpenError) -> Journal {
        let found = try attempt { () throws(DiskError) in try disk.slots() }
        guard flushedUse == 0 || !found.isEmpty else {
            throw .corrupt("the journal is missing (\(disk.name(0))), although it was in use")
        }
        var segments: [(slot: JournalSlot, header: SegmentHeader?)] = []
        for slot in found { segments.append((slot, try header(of: slot, disk: disk))) }

        let live = segments.compactMap { segment in segment.header.map { (slot: segment.slot, header: $0) } }
            .filter { $0.header.use > flushedUse }
            .sorted { $0.header.use < $1.header.use }
        for (index, segment) in live.enumerated() {
            let expected = flushedUse + UInt64(index) + 1
            guard mayHaveGaps || segment.header.use == expected else {
                throw .corrupt(
                    "the journal has no segment of use \(expected): \(disk.name(segment.slot.number)) follows with use "
                        + "\(segment.header.use)")
            }
        }
        var end = 0
        for (index, segment) in live.enumerated() {
            let follower = index + 1 < live.count ? live[index + 1].header : nil
            let next = follower?.use == segment.header.use + 1 ? follower : nil
            let reader = SegmentRecovery(disk: disk, slot: segment.slot, header: segment.header)
            end = try reader.replay(knownEnd: next.map { Int($0.formerEnd) }, replay)
        }
        return Journal(
            disk: disk, limits: limits,
            slots: segments.map { ($0.slot, $0.header.flatMap { $0.use > flushedUse ? $0.use : nil }) },
            closedUse: live.last?.header.use ?? flushedUse, closedEnd: end)
    }

    private static func header(of slot: JournalSlot, disk: any JournalDisk) throws(StorageOpenError) -> SegmentHeader? {
        let bytes = try attempt { () throws(DiskError) in
            try disk.read(slot.number, at: 0, count: SegmentHeader.blocksOffset)
        }
        let copies = bytes.withUnsafeBytes { bytes in
            [SegmentHeader.read(bytes, at: 0), SegmentHeader.read(bytes, at: SegmentHeader.copyOffset)]
        }
        var newest: SegmentHeader?
        for case .header(let header) in copies where header.use >= newest?.use ?? 0 { newest = header }
        if let newest { return newest }
        for case .unknownVersion(let version) in copies {
            throw .unknownVersion(
                file: disk.name(slot.number), found: UInt64(version), known: UInt64(SegmentHeader.version))
        }
        // A crash during the first use leaves the first copy torn and the second blank.
        if copies.contains(.blank) { return nil }
        throw .corrupt("\(disk.name(slot.number)) at 0: both copies of the segment's header are damaged")
    }

    fileprivate static func attempt<T>(_ body: () throws(DiskError) -> T) throws(StorageOpenError) -> T {
        do throws(DiskError) { return try body() } catch { throw .disk(error) }
    }
}

/// The blocks of one segment after a start.
private struct SegmentRecovery {
    let disk: any JournalDisk
    let slot: JournalSlot
    let header: SegmentHeader

    /// Replays the segment's blocks and returns the end of the last. `knownEnd` is that end as the next use has it; nil
    /// for the newest segment, whose last block is written again and synced, since it may be in memory only.
    func replay(
        knownEnd: Int?, _ body: (JournalEntry) throws(StorageOpenError) -> Void
    ) throws(StorageOpenError) -> Int {
        let bytes = try Journal.attempt { () throws(DiskError) in try disk.read(slot.number, at: 0, count: slot.bytes) }
        var last: Range<Int>?
        let end = try bytes.span.bytes.withUnsafeBytes { (bytes) throws(StorageOpenError) in
            var position = SegmentHeader.blocksOffset
            var ordinal: UInt32 = 0
            while knownEnd.map({ position < $0 }) ?? true {
                guard let records = block(bytes, at: position, ordinal: ordinal, knownEnd: knownEnd) else {
                    try require(knownEnd == nil && !wasDurable(bytes, at: position), "the journal is damaged", position)
                    break
                }
                for (index, record) in records.enumerated() {
                    try body(try entry(bytes[record], at: record.lowerBound, index: index))
                }
                let end = records.last?.upperBound ?? position + BlockHeader.count
                last = position..<end
                ordinal &+= UInt32(records.count)
                position = roundedUp(end, to: 8)
            }
            return position
        }
        if knownEnd == nil, let last {
            try Journal.attempt { () throws(DiskError) in
                try bytes.span.bytes.withUnsafeBytes { (bytes) throws(DiskError) in
                    try disk.write(slot.number, at: last.lowerBound, UnsafeRawBufferPointer(rebasing: bytes[last]))
                }
                try disk.sync(slot.number)
            }
        }
        return end
    }

    // Where the bodies of a block's records are, or nil when the block is not whole.
    private func block(
        _ bytes: UnsafeRawBufferPointer, at position: Int, ordinal: UInt32, knownEnd: Int?
    ) -> [Range<Int>]? {
        guard let block = BlockHeader.read(bytes, at: position, salt: header.salt), block.firstOrdinal == ordinal else {
            return nil
        }
        var offset = position + BlockHeader.count
        let end = offset + Int(block.bytes)
        guard end <= min(bytes.count, knownEnd ?? .max) else { return nil }
        var bodies: [Range<Int>] = []
        for index in 0..<block.records {
            guard offset + RecordHeader.count <= end else { return nil }
            let start = offset + RecordHeader.count
            let length = Int(bytes.half(offset))
            let ordinal = ordinal &+ index
            guard start + length <= end, bytes.half(offset + 4) == ordinal else { return nil }
            let body = UnsafeRawBufferPointer(rebasing: bytes[start..<start + length])
            guard RecordHeader.checksum(body, ordinal: ordinal, salt: header.salt) == bytes.word(offset + 8) else {
                return nil
            }
            bodies.append(start..<start + length)
            offset = start + length
        }
        return offset == end ? bodies : nil
    }

    // Whether a later block says that the segment was durable beyond `position`.
    private func wasDurable(_ bytes: UnsafeRawBufferPointer, at position: Int) -> Bool {
        var offset = position + 8
        while offset + BlockHeader.count <= bytes.count {
            if let block = BlockHeader.read(bytes, at: offset, salt: header.salt), block.syncedEnd > UInt64(position) {
                return true
            }
            offset += 8
        }
        return false
    }

    private func entry(
        _ body: Slice<UnsafeRawBufferPointer>, at offset: Int, index: Int
    ) throws(StorageOpenError) -> JournalEntry {
        var reader = ByteReader(UnsafeRawBufferPointer(rebasing: body))
        do throws(WireError) {
            return try reader.journalEntry()
        } catch {
            throw .corrupt("\(disk.name(slot.number)) at \(offset): a record cannot be read: \(error)")
        }
    }

    private func require(_ holds: Bool, _ what: String, _ offset: Int) throws(StorageOpenError) {
        guard holds else {
            throw .corrupt("\(disk.name(slot.number)) at \(offset): \(what) below what was known to be durable")
        }
    }
}
