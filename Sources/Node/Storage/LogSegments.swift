import Glibc
import NodeCore
import Wire

/// Names of the files in which logs keep their batches: `logs/<topic>/<partition>/<first offset>.log`.
struct LogPaths: Sendable {
    private let root: String

    /// Below a data directory.
    init(directory: String) { root = directory + "/logs" }

    /// The directory of a topic.
    func topic(_ partition: PartitionID) -> String { root + "/\(partition.topic)" }

    /// The directory of a partition.
    func partition(_ partition: PartitionID) -> String { topic(partition) + "/\(partition.index)" }

    /// A file of a partition; its name sorts as its offset does.
    func file(_ partition: PartitionID, _ first: Offset) -> String {
        let digits = String(first)
        return self.partition(partition) + "/" + String(repeating: "0", count: 20 - digits.count) + digits + Self.suffix
    }

    /// The offset in a file's name; nil for other files.
    func first(_ name: String) -> Offset? {
        name.hasSuffix(Self.suffix) ? Offset(name.dropLast(Self.suffix.count)) : nil
    }

    /// All directories down to a partition's, from the top.
    func chain(_ partition: PartitionID) -> [String] { [root, topic(partition), self.partition(partition)] }

    private static let suffix = ".log"
}

/// Writes batches to the files of their partitions. What is behind the end that the index knows is overwritten.
struct LogSegmentWriter: Sendable {
    private let paths: LogPaths
    private let segmentBytesMax: Int
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
        var file = last?.file ?? first.baseOffset
        var position = last.map { $0.position + $0.length } ?? 0
        var places: [BatchPlace] = []
        places.reserveCapacity(batches.count)
        var index = 0
        while index < batches.count {
            if position >= segmentBytesMax {
                file = batches[index].baseOffset
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
            }
            try out.sync()
        }
        return places
    }

    /// Removes the files of a partition that hold no batch any more.
    func removeFiles(of partition: PartitionID, except kept: [Offset]) throws(DiskError) {
        for name in try PosixDirectory.names(paths.partition(partition)) {
            guard let first = paths.first(name), !kept.contains(first) else { continue }
            try PosixDirectory.removeFile(paths.file(partition, first))
        }
        if kept.isEmpty {
            try PosixDirectory.removeIfEmpty(paths.partition(partition))
            try PosixDirectory.removeIfEmpty(paths.topic(partition))
        }
    }

    private func open(_ partition: PartitionID, _ file: Offset) throws(DiskError) -> PosixFile {
        let path = paths.file(partition, file)
        if PosixDirectory.exists(path) { return try PosixFile(path, O_WRONLY) }
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
        let first: Offset
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

    private mutating func file(_ partition: PartitionID, _ first: Offset) throws(DiskError) -> PosixFile {
        if let index = files.lastIndex(where: { $0.first == first && $0.partition == partition }) {
            let found = files.remove(at: index)
            files.append(found)
            return found.file
        }
        let file = try PosixFile(paths.file(partition, first), O_RDONLY)
        if files.count >= openMax { files.removeFirst().file.close() }
        files.append(OpenFile(partition: partition, first: first, file: file))
        return file
    }
}
