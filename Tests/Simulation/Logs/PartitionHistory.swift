import NodeCore
import Wire

/// A batch that a producer has published, or has tried to.
struct PublishedBatch {
    /// What became of it.
    enum Outcome: Hashable {
        /// It may be in the log, or come there later.
        case unknown
        /// It is not there, and never will be.
        case refused
        /// It is there.
        case kept(Offset)
    }

    /// Its number, which is also the label of its records.
    let number: Int
    let producer: Int
    let partition: Int
    let count: Int
    /// The end of the last batch of the partition that anybody knew to be kept when this one was sent first.
    let floor: Offset
    var outcome = Outcome.unknown
    /// Whether every attempt was answered with a refusal for certain; false from when one is in doubt.
    var isCertain = true
}

/// A record by the batch that brought it and its place there.
struct RecordLabel: Hashable, CustomStringConvertible {
    let batch: Int
    let place: Int

    var description: String { "\(batch).\(place)" }

    var bytes: [UInt8] { Array("\(description).".utf8) }

    init(batch: Int, place: Int) {
        self.batch = batch
        self.place = place
    }

    /// The label of a record's value; nil for one that nobody wrote.
    init?(_ value: [UInt8]) {
        let parts = value.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let batch = Int(String(decoding: parts[0], as: UTF8.self)),
            let place = Int(String(decoding: parts[1], as: UTF8.self))
        else { return nil }
        self.init(batch: batch, place: place)
    }
}

/// What clients were told of one partition. An offset has one record for ever, and a record one offset; the high watermark
/// goes forward for whoever follows the epochs.
struct PartitionHistory {
    /// A broken promise.
    struct Problem {
        let check: String
        let detail: String
    }

    /// What was known when a request was sent.
    struct Floors {
        /// The highest high watermark of each epoch.
        var watermarks: [LogEpoch: Offset] = [:]
        /// The highest first offset of each epoch. A new primary may not have heard of what the former one let go of last.
        var firsts: [LogEpoch: Offset] = [:]
    }

    /// What is known now.
    var floors: Floors { Floors(watermarks: watermarks, firsts: firstOffsets) }

    private var records: [Offset: RecordLabel] = [:]
    private var offsets: [RecordLabel: Offset] = [:]
    /// The end of what is known to be kept.
    private(set) var end: Offset = 0
    /// The highest high watermark that was told under each epoch.
    private(set) var watermarks: [LogEpoch: Offset] = [:]

    /// The highest first offset that was told under each epoch.
    private(set) var firstOffsets: [LogEpoch: Offset] = [:]
    /// How often somebody was told that what he asked for is gone.
    private(set) var fellBehind = 0

    /// The offsets that somebody knows a record of, in order.
    var known: [(offset: Offset, label: RecordLabel)] {
        records.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Somebody was told that a record is at an offset.
    mutating func saw(_ label: RecordLabel, at offset: Offset) -> Problem? {
        if let other = records[offset], other != label {
            return Problem(check: "records", detail: "offset \(offset) had record \(other), and has \(label)")
        }
        if let other = offsets[label], other != offset {
            return Problem(check: "duplicates", detail: "record \(label) is at offset \(other) and at \(offset)")
        }
        records[offset] = label
        offsets[label] = offset
        end = max(end, offset + 1)
        return nil
    }

    /// A batch was acknowledged.
    mutating func acknowledged(_ batch: PublishedBatch, at base: Offset) -> Problem? {
        if base < batch.floor {
            return Problem(
                check: "order",
                detail: "batch \(batch.number) is kept at \(base), and was sent when records up to \(batch.floor) were")
        }
        if case .kept(let other) = batch.outcome, other != base {
            return Problem(
                check: "duplicates", detail: "batch \(batch.number) was acknowledged at \(other) and at \(base)")
        }
        for place in 0..<batch.count {
            let problem = saw(RecordLabel(batch: batch.number, place: place), at: base + Offset(place))
            if let problem { return problem }
        }
        return nil
    }

    /// A fetch was answered that was sent when `floors` were known.
    mutating func fetched(_ answer: Fetched, from offset: Offset, floors: Floors) -> Problem? {
        let told = answer.highWatermark
        for (epoch, floor) in floors.watermarks where epoch <= answer.epoch && told < floor {
            return Problem(
                check: "watermark",
                detail: "epoch \(answer.epoch) tells \(told), and epoch \(epoch) told \(floor) before it was asked")
        }
        watermarks[answer.epoch] = max(watermarks[answer.epoch] ?? 0, told)
        end = max(end, told)
        guard answer.firstOffset <= told else {
            return Problem(
                check: "retention", detail: "the first offset is \(answer.firstOffset), only \(told) are committed")
        }
        if let floor = floors.firsts[answer.epoch], answer.firstOffset < floor {
            return Problem(
                check: "retention",
                detail:
                    "epoch \(answer.epoch) tells of the first offset \(answer.firstOffset), and had told of \(floor) before"
            )
        }
        firstOffsets[answer.epoch] = max(firstOffsets[answer.epoch] ?? 0, answer.firstOffset)
        if offset < answer.firstOffset { fellBehind += 1 }
        guard offset >= answer.firstOffset, offset < told else {
            guard let batch = answer.batches.first else { return nil }
            return Problem(
                check: "reading",
                detail: "offset \(batch.baseOffset) came for \(offset), high watermark \(told)")
        }
        return take(answer.batches, from: offset, limit: told)
    }

    private mutating func take(_ batches: [RecordBatch], from offset: Offset, limit: Offset) -> Problem? {
        guard let first = batches.first, first.baseOffset <= offset else {
            return Problem(
                check: "gaps",
                detail: "the answer for \(offset) of \(limit) begins at \(batches.first?.baseOffset ?? limit)")
        }
        var next = first.baseOffset
        for batch in batches {
            guard batch.baseOffset == next, batch.endOffset <= limit else {
                return Problem(
                    check: "gaps",
                    detail: "a batch \(batch.baseOffset)..<\(batch.endOffset) follows \(next), high watermark \(limit)")
            }
            next = batch.endOffset
            guard batch.isIntact, let content = try? batch.entries(),
                batch.isSparse || content.count == Int(batch.count)
            else {
                return Problem(check: "reading", detail: "the batch at \(batch.baseOffset) does not unpack")
            }
            for entry in content {
                guard let label = RecordLabel(entry.record) else {
                    return Problem(check: "reading", detail: "nobody published the record at \(entry.offset)")
                }
                if let problem = saw(label, at: entry.offset) { return problem }
            }
        }
        return nil
    }
}
