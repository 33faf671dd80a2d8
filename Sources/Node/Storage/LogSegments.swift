import Glibc
import NodeCore
import Wire

/// A file of a partition: one that batches were appended to, known by its first offset, or one of those that compaction
/// has made, which are numbered.
struct LogFile: Hashable, Sendable {
    /// As the index has it: below 2^63 a first offset, from there on a number.
    let rawValue: UInt64

    private static let compactedMin: UInt64 = 1 << 63

    /// Whether compaction has made it.
    var isCompacted: Bool { rawValue >= Self.compactedMin }

    /// As the index has it.
    init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The file that begins with an offset.
    static func appended(_ first: Offset) -> LogFile { LogFile(rawValue: first) }

    /// One that compaction can make where these are.
    static func unused(among files: [LogFile]) -> LogFile {
        LogFile(rawValue: max(compactedMin, (files.map(\.rawValue).max() ?? 0) + 1))
    }

    /// Its name; the names of appended ones sort as their offsets do.
    var name: String {
        let digits = String(isCompacted ? rawValue - Self.compactedMin : rawValue)
        return (isCompacted ? Self.prefix : "") + String(repeating: "0", count: 20 - digits.count) + digits
            + Self.suffix
    }

    /// Reads a name; nil for other files.
    init?(name: String) {
        guard name.hasSuffix(Self.suffix) else { return nil }
        let isCompacted = name.hasPrefix(Self.prefix)
        let digits = name.dropFirst(isCompacted ? Self.prefix.count : 0).dropLast(Self.suffix.count)
        guard let number = UInt64(digits), number < Self.compactedMin else { return nil }
        rawValue = isCompacted ? Self.compactedMin + number : number
    }

    private static let prefix = "compacted-"
    private static let suffix = ".log"
}

/// Names of the files in which logs keep their batches: `logs/<topic>/<partition>/<file>`.
struct LogPaths: Sendable {
    private let root: String

    /// Below a data directory.
    init(directory: String) { root = directory + "/logs" }

    /// The directory of a topic.
    func topic(_ partition: PartitionID) -> String { root + "/\(partition.topic)" }

    /// The directory of a partition.
    func partition(_ partition: PartitionID) -> String { topic(partition) + "/\(partition.index)" }

    /// A file of a partition.
    func file(_ partition: PartitionID, _ file: LogFile) -> String { self.partition(partition) + "/" + file.name }

    /// All directories down to a partition's, from the top.
    func chain(_ partition: PartitionID) -> [String] { [root, topic(partition), self.partition(partition)] }
}

/// Writes batches to the files of their partitions. What is behind the end that the index knows is overwritten.
struct LogSegmentWriter: Sendable {
    private let paths: LogPaths
    /// Bytes of one file, about.
    let segmentBytesMax: Int
    private var writer = ByteWriter(capacity: 1 << 20)

    /// Bytes that are gathered for one write.
    private static let chunkBytes = 4 << 20

    /// Below a data directory.
    init(directory: String, segmentBytesMax: Int) {
        paths = LogPaths(directory: directory)
        self.segmentBytesMax = segmentBytesMax
    }

    /// Appends batches behind the last one and makes them durable. Returns their places.
    mutating func append(
        _ batches: [RecordBatch], to partition: PartitionID, after last: BatchPlace?
    ) throws(DiskError) -> [BatchPlace] {
        guard let first = batches.first else { return [] }
        var file = last?.file ?? .appended(first.baseOffset)
        var position = last.map { $0.position + $0.length } ?? 0
        var places: [BatchPlace] = []
        places.reserveCapacity(batches.count)
        var index = 0
        while index < batches.count {
            if position >= segmentBytesMax {
                file = .appended(batches[index].baseOffset)
                position = 0
            }
            let out = try open(partition, file)
            defer { out.close() }
            while index < batches.count && position < segmentBytesMax {
                let start = position
                writer.removeAll()
                while index < batches.count && position < segmentBytesMax && writer.count < Self.chunkBytes {
                    let batch = batches[index]
                    let length = batch.encodedCount
                    batch.encode(into: &writer)
                    places.append(
                        BatchPlace(of: batch, file: file, position: position))
                    position += length
                    index += 1
                }
                try out.write(writer.bytes, at: start)
                // A little at a time: one long sync of all of it would hold up the journal's on the same disk.
                try out.sync()
            }
        }
        return places
    }

    /// A batch that gets another place.
    struct Moved {
        /// Where it is.
        let place: BatchPlace
        /// What is left of it; nil when it moves as it is.
        let batch: RecordBatch?
    }

    /// Writes batches to a file of their own, or several: `file`, and those numbered on from it. They are durable when this
    /// returns. Returns their places. What moves as it is, is not looked into: damage goes along and is found by readers.
    mutating func write(
        _ moved: [Moved], of partition: PartitionID, to file: LogFile
    ) throws(DiskError) -> [BatchPlace] {
        var file = file
        var places: [BatchPlace] = []
        places.reserveCapacity(moved.count)
        var index = 0
        var source: (file: LogFile, open: PosixFile)?
        defer { source?.open.close() }
        while index < moved.count {
            let out = try open(partition, file, O_TRUNC)
            defer { out.close() }
            var position = 0
            while index < moved.count && position < segmentBytesMax {
                let start = position
                writer.removeAll()
                while index < moved.count && position < segmentBytesMax && writer.count < Self.chunkBytes {
                    let item = moved[index]
                    if let batch = item.batch {
                        batch.encode(into: &writer)
                    } else {
                        writer.raw(try read(item.place, of: partition, from: &source))
                    }
                    let length = start + writer.count - position
                    places.append(item.place.moved(to: file, position: position, length: length))
                    position += length
                    index += 1
                }
                try out.write(writer.bytes, at: start)
            }
            try out.sync()
            file = LogFile(rawValue: file.rawValue + 1)
        }
        return places
    }

    // `source` is the file that was read last.
    private func read(
        _ place: BatchPlace, of partition: PartitionID, from source: inout (file: LogFile, open: PosixFile)?
    ) throws(DiskError) -> [UInt8] {
        let open: PosixFile
        if let source, source.file == place.file {
            open = source.open
        } else {
            source?.open.close()
            source = nil
            open = try PosixFile(paths.file(partition, place.file), O_RDONLY)
            source = (place.file, open)
        }
        let bytes = try open.read(at: place.position, count: place.length)
        guard bytes.count == place.length else { throw DiskError(operation: "read", path: open.path, code: ENODATA) }
        return bytes
    }

    /// Bytes of a file; nil when they cannot be told.
    func bytes(_ partition: PartitionID, _ file: LogFile) -> Int? {
        guard let open = try? PosixFile(paths.file(partition, file), O_RDONLY) else { return nil }
        defer { open.close() }
        return try? open.count()
    }

    /// Removes the files of a partition that hold no batch any more.
    func removeFiles(of partition: PartitionID, except kept: [LogFile]) throws(DiskError) {
        for name in try PosixDirectory.names(paths.partition(partition)) {
            guard let file = LogFile(name: name), !kept.contains(file) else { continue }
            try PosixDirectory.removeFile(paths.file(partition, file))
        }
        if kept.isEmpty {
            try PosixDirectory.removeIfEmpty(paths.partition(partition))
            try PosixDirectory.removeIfEmpty(paths.topic(partition))
        }
    }

    private func open(_ partition: PartitionID, _ file: LogFile, _ flags: Int32 = 0) throws(DiskError) -> PosixFile {
        let path = paths.file(partition, file)
        if PosixDirectory.exists(path) { return try PosixFile(path, O_WRONLY | flags) }
        try PosixDirectory.create(paths.partition(partition))
        let created = try PosixFile(path, O_WRONLY | O_CREAT)
        do throws(DiskError) {
            for directory in paths.chain(partition) { try PosixDirectory.sync(directory) }
        } catch {
            created.close()
            throw error
        }
        return created
    }
}

/// Reads batches from the files of their partitions; keeps the files used last open.
struct LogSegmentReader {
    private struct OpenFile {
        let partition: PartitionID
        let name: LogFile
        let file: PosixFile
    }

    private let paths: LogPaths
    private let openMax: Int
    // The one used last is at the end.
    private var files: [OpenFile] = []

    /// Below a data directory, with so many files open at most.
    init(directory: String, openMax: Int) {
        paths = LogPaths(directory: directory)
        self.openMax = openMax
    }

    /// The batches at their places, in their order. Neighbours in a file are read at once. Throws `corrupt` when one is
    /// not what the index says or fails its checksum.
    mutating func batches(_ partition: PartitionID, _ places: [BatchPlace]) throws(StoreError) -> [RecordBatch] {
        var batches: [RecordBatch] = []
        batches.reserveCapacity(places.count)
        var start = 0
        while start < places.count {
            var end = start + 1
            var bytes = places[start].length
            while end < places.count, places[end].file == places[start].file,
                places[end].position == places[start].position + bytes
            {
                bytes += places[end].length
                end += 1
            }
            let content: [UInt8]
            do throws(DiskError) {
                content = try file(partition, places[start].file).read(at: places[start].position, count: bytes)
            } catch {
                let detail = "partition \(partition): \(error)"
                throw error.code == ENOENT ? .corrupt(detail) : .io(detail)
            }
            for place in places[start..<end] {
                guard let batch = Self.batch(content, place, offset: place.position - places[start].position) else {
                    throw .corrupt(
                        "\(paths.file(partition, place.file)) at \(place.position): the batch of partition \(partition) "
                            + "at offset \(place.base) is damaged")
                }
                batches.append(batch)
            }
            start = end
        }
        return batches
    }

    /// Closes all files: some may have been removed, and others may have come under their names.
    mutating func closeAll() {
        for open in files { open.file.close() }
        files = []
    }

    private static func batch(_ content: [UInt8], _ place: BatchPlace, offset: Int) -> RecordBatch? {
        guard offset + place.length <= content.count else { return nil }
        let batch: RecordBatch? = content.withUnsafeBytes { bytes in
            var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + place.length]))
            guard let batch = try? RecordBatch(from: &reader), reader.remaining == 0 else { return nil }
            return batch
        }
        guard let batch, batch.baseOffset == place.base, batch.endOffset == place.end, batch.epoch == place.epoch,
            batch.isIntact
        else { return nil }
        return batch
    }

    private mutating func file(_ partition: PartitionID, _ name: LogFile) throws(DiskError) -> PosixFile {
        if let index = files.lastIndex(where: { $0.name == name && $0.partition == partition }) {
            let found = files.remove(at: index)
            files.append(found)
            return found.file
        }
        let file = try PosixFile(paths.file(partition, name), O_RDONLY)
        if files.count >= openMax { files.removeFirst().file.close() }
        files.append(OpenFile(partition: partition, name: name, file: file))
        return file
    }
}
