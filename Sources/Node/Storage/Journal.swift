import Wire

/// Why a block was not committed. None of it counts as durable; the same block may be tried again.
package enum JournalFailure: Error, Hashable, Sendable {
    /// Every segment still holds what SQLite does not have: one must be prepared or freed first.
    case noSegment
    /// The disk failed.
    case disk(DiskError)
}

/// The journal of a node: blocks of records in segments that were written in advance and are used over and over.
///
/// A value over a `JournalDisk`: each call does its work on the disk and returns, and the same calls on an equal disk
/// do the same. One commit is one write and one sync. A segment's use is numbered; when SQLite durably holds everything
/// up to a use, `free` gives its segment back.
package struct Journal: Sendable {
    private struct Slot {
        let number: Int
        var bytes: Int
        // The use whose content SQLite may lack; nil for a spare.
        var use: UInt64?
    }

    private struct Segment {
        let slot: Int
        let header: SegmentHeader
        let bytes: Int
        // Where the next block goes; everything before is durable.
        var position = SegmentHeader.blocksOffset
        var ordinal: UInt32 = 0
        // What is on disk from the start of the page of `position` up to it. Whole pages are written, so that the
        // system never has to read one first; what was durable in the page is written again as it was.
        var tail: [UInt8]
        var tailOffset: Int { position - tail.count }
    }

    private let disk: any JournalDisk
    private let segmentBytes: Int
    private let segmentsMax: Int
    private let saltSeed: UInt64
    private var attempts: UInt64 = 0
    private var slots: [Slot]
    private var open: Segment?
    // The last use that takes no more blocks, and the end of its durable ones.
    private var closedUse: UInt64
    private var closedEnd: Int
    // A spare whose header may already name the next use; no other may be used for that.
    private var begun: Int?
    private var preparing: Int?
    private var scratch: [UInt8] = []

    /// A journal as `recover` found it.
    init(
        disk: any JournalDisk, limits: JournalLimits, slots: [(slot: JournalSlot, use: UInt64?)], closedUse: UInt64,
        closedEnd: Int
    ) {
        self.disk = disk
        segmentBytes = limits.segmentBytes
        segmentsMax = limits.segmentsMax
        saltSeed = limits.saltSeed
        self.slots = slots.map { Slot(number: $0.slot.number, bytes: $0.slot.bytes, use: $0.use) }
        self.closedUse = closedUse
        self.closedEnd = closedEnd
    }

    /// The last use that was begun; 0 before the first.
    package var lastUse: UInt64 { open?.header.use ?? closedUse }

    /// Writes a block of records behind the last one and makes it durable.
    mutating func commit(_ records: JournalBuffer) throws(JournalFailure) {
        if let open, open.position + BlockHeader.count + records.count > open.bytes { close() }
        if open == nil { try begin() }
        guard var segment = open.take() else { throw .noSegment }
        do throws(DiskError) {
            try write(records, to: &segment)
            open = segment
        } catch {
            if segment.position > SegmentHeader.blocksOffset {
                // What failed is behind the durable end that the next use names: it will be written there.
                open = segment
                close()
            } else {
                release(segment)
            }
            throw .disk(error)
        }
    }

    /// Writes down that everything committed is durable, so that damage to the last block cannot pass for a torn write.
    mutating func mark() throws(JournalFailure) {
        if open != nil { try commit(JournalBuffer()) }
    }

    /// Ends the present use, so that the next block begins another, and says the number of the last use.
    package mutating func seal() -> UInt64 {
        close()
        return closedUse
    }

    /// Takes back the segments of all uses up to `use`: their content is durable elsewhere.
    package mutating func free(upTo use: UInt64) {
        for index in slots.indices {
            if let used = slots[index].use, used <= use, used != open?.header.use { slots[index].use = nil }
        }
    }

    /// The slot to prepare now and its size, or nil when there is a spare or none may be added. Asked again only after
    /// `prepared`.
    package mutating func wanted() -> JournalSlot? {
        guard preparing == nil, slots.count < segmentsMax, slots.allSatisfy({ $0.use != nil }) else { return nil }
        if let open, open.position < open.bytes / 2 { return nil }
        let number = (slots.map(\.number).max() ?? -1) + 1
        preparing = number
        // A small node has small segments; one that writes much soon has full ones.
        let largest = slots.map(\.bytes).max() ?? segmentBytes
        return JournalSlot(number: number, bytes: min(segmentBytes, largest * 8))
    }

    /// Takes a slot that was prepared.
    package mutating func prepared(_ slot: JournalSlot) {
        preparing = nil
        slots.append(Slot(number: slot.number, bytes: slot.bytes, use: nil))
    }

    private mutating func close() {
        guard let segment = open.take() else { return }
        closedUse = segment.header.use
        closedEnd = segment.position
        grow(segment)
    }

    // Gives back a segment that has no durable block; only this slot may be begun under the same number.
    private mutating func release(_ segment: Segment) {
        begun = segment.slot
        if let index = slots.firstIndex(where: { $0.number == segment.slot }) { slots[index].use = nil }
    }

    // A block larger than a segment makes its slot grow.
    private mutating func grow(_ segment: Segment) {
        if let index = slots.firstIndex(where: { $0.number == segment.slot }) {
            slots[index].bytes = max(segment.bytes, roundedUp(segment.position, to: SegmentHeader.pageBytes))
        }
    }

    private mutating func begin() throws(JournalFailure) {
        guard let index = slots.firstIndex(where: { $0.use == nil && (begun == nil || $0.number == begun) }) else {
            throw .noSegment
        }
        let slot = slots[index]
        attempts += 1
        let use = closedUse + 1
        var seed = ByteWriter(capacity: 16)
        seed.integer(use)
        seed.integer(attempts)
        let header = SegmentHeader(
            use: use, salt: XXH64.hash(seed.bytes, seed: saltSeed), formerEnd: UInt64(closedEnd))
        let page = header.page
        begun = slot.number
        do throws(DiskError) {
            try page.span.bytes.withUnsafeBytes { (bytes) throws(DiskError) in
                try disk.write(slot.number, at: 0, bytes)
            }
            try disk.sync(slot.number)
        } catch { throw .disk(error) }
        begun = nil
        slots[index].use = use
        // The second copy goes with the first block.
        open = Segment(slot: slot.number, header: header, bytes: slot.bytes, tail: page)
    }

    private mutating func write(_ records: JournalBuffer, to segment: inout Segment) throws(DiskError) {
        let tail = segment.tail.count
        let end = tail + BlockHeader.count + records.count
        let total = roundedUp(end, to: SegmentHeader.pageBytes)
        scratch.removeAll(keepingCapacity: scratch.capacity <= Self.scratchBytesKept)
        scratch.reserveCapacity(total)
        scratch.append(contentsOf: segment.tail)
        scratch.append(contentsOf: repeatElement(0, count: BlockHeader.count))
        scratch.append(contentsOf: records.bytes)
        scratch.append(contentsOf: repeatElement(0, count: total - end))
        let block = BlockHeader(
            records: UInt32(records.records), bytes: UInt32(records.count), firstOrdinal: segment.ordinal,
            syncedEnd: UInt64(segment.position))
        let salt = segment.header.salt
        let place = segment.position
        scratch.withUnsafeMutableBytes { bytes in
            block.write(to: bytes, at: tail, place: place, salt: salt)
            RecordHeader.seal(
                UnsafeMutableRawBufferPointer(rebasing: bytes[(tail + BlockHeader.count)..<end]),
                lengths: records.lengths, firstOrdinal: block.firstOrdinal, salt: salt)
        }
        let offset = segment.tailOffset
        try scratch.span.bytes.withUnsafeBytes { (bytes) throws(DiskError) in
            try disk.write(segment.slot, at: offset, bytes)
        }
        try disk.sync(segment.slot)

        segment.ordinal &+= block.records
        segment.position = offset + roundedUp(end, to: 8)
        let pageStart = (segment.position & ~(SegmentHeader.pageBytes - 1)) - offset
        segment.tail.removeAll(keepingCapacity: true)
        segment.tail.append(contentsOf: scratch[pageStart..<(segment.position - offset)])
    }

    // A burst must not keep its memory for ever.
    private static let scratchBytesKept = 4 << 20
}

/// What a journal is made with.
package struct JournalLimits: Hashable, Sendable {
    /// Bytes of a full segment.
    package var segmentBytes: Int
    /// Segments at most.
    package var segmentsMax: Int
    /// A random number of this run: the salts of its segments follow from it.
    package var saltSeed: UInt64

    /// Puts the limits together.
    package init(segmentBytes: Int, segmentsMax: Int, saltSeed: UInt64) {
        self.segmentBytes = segmentBytes
        self.segmentsMax = segmentsMax
        self.saltSeed = saltSeed
    }
}
