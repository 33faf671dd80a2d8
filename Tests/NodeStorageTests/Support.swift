import Glibc
import NodeCore
import Testing
import Wire

@testable import NodeStorage

/// A directory of its own for a test, gone at the end.
final class TemporaryDirectory {
    let path: String

    init() {
        var template = Array("/tmp/stormo-storage-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, let made = mkdtemp(base) else { return "/nonexistent" }
            return String(cString: made)
        }
    }

    deinit { Self.remove(path) }

    /// A copy of everything, as a crash of the process would leave it.
    func copy() throws -> TemporaryDirectory {
        let copy = TemporaryDirectory()
        try Self.copy(path, to: copy.path)
        return copy
    }

    private static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func remove(_ path: String) {
        if isDirectory(path) {
            for name in (try? PosixDirectory.names(path)) ?? [] { remove(path + "/" + name) }
            rmdir(path)
        } else {
            unlink(path)
        }
    }

    private static func copy(_ from: String, to: String) throws {
        // Files that are being made are not copied: they may be gone in a moment.
        for name in try PosixDirectory.names(from) where !name.hasSuffix(".new") {
            if isDirectory(from + "/" + name) {
                try PosixDirectory.create(to + "/" + name)
                try copy(from + "/" + name, to: to + "/" + name)
            } else {
                try write(try read(from + "/" + name), to: to + "/" + name)
            }
        }
    }
}

func read(_ path: String) throws -> [UInt8] {
    let file = try PosixFile(path, O_RDONLY)
    defer { file.close() }
    return try file.read(at: 0, count: try file.count())
}

func write(_ bytes: [UInt8], to path: String) throws {
    let file = try PosixFile(path, O_WRONLY | O_CREAT | O_TRUNC)
    defer { file.close() }
    try file.write(bytes, at: 0)
}

/// Flips one bit of a file.
func flip(_ path: String, at offset: Int) throws {
    let file = try PosixFile(path, O_RDWR)
    defer { file.close() }
    let byte = try #require(try file.read(at: offset, count: 1).first)
    try file.write([byte ^ 0x10], at: offset)
}

/// A generator of the same numbers in every run (SplitMix64, Steele et al. 2014).
struct Numbers: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

func ballot(_ time: UInt64) -> Ballot { Ballot(time: HybridTime(time), node: NodeID(7)) }

/// A state with an accepted value.
func state(_ time: UInt64, _ text: String) -> RegisterState {
    let cell = Cell(version: ballot(time), base: nil, content: .value(Array(text.utf8)), expiryMs: nil)
    return RegisterState(promised: ballot(time + 1), accepted: AcceptedCell(ballot: ballot(time), cell: cell))
}

/// A state with a deletion.
func tombstone(_ time: UInt64) -> RegisterState {
    let cell = Cell(version: ballot(time), base: ballot(time - 1), content: .tombstone, expiryMs: 99)
    return RegisterState(promised: ballot(time), accepted: AcceptedCell(ballot: ballot(time), cell: cell))
}

/// A batch of `count` records at an offset.
func batch(_ base: Offset, _ count: Int, epoch: LogEpoch = 1, bytes: Int = 10) throws -> RecordBatch {
    let records = (0..<count).map { index in
        // Text that does not compress to nothing.
        var numbers = Numbers(base &+ UInt64(index))
        return Record(
            key: nil, value: (0..<bytes).map { _ in UInt8.random(in: 32...126, using: &numbers) }, timestampMs: 5)
    }
    var batch = try RecordBatch(records: records)
    batch.baseOffset = base
    batch.epoch = epoch
    return batch
}

/// A key that a node keeps for itself, filled up to `bytes`.
func own(_ name: String, bytes: Int = 0) -> Key {
    let start = [0, 0] + Array(name.utf8)
    return Key(start + [UInt8](repeating: 120, count: max(0, bytes - start.count)))
}

let partition = PartitionID(topic: TopicID(0x10), index: 3)

func facts(_ id: LogID = 9, epoch: LogEpoch = 1, first: Offset = 0) -> LogFacts {
    LogFacts(logID: id, epoch: epoch, highWatermark: 0, firstOffset: first)
}

extension NodeStatistics {
    subscript(_ name: String) -> UInt64 { items.first { $0.name == "storage_" + name }?.value ?? .max }
}

/// An engine with its notices: what the node's shell does with it, without a loop.
final class TestEngine {
    private final class Notices: Sendable {
        let seen = Monitor<(durable: UInt64, count: Int)>((0, 0))
    }

    let engine: StorageEngine
    private let notices: Notices
    private(set) var last = JournalSequence.start

    init(
        _ directory: TemporaryDirectory, disk: (any JournalDisk)? = nil, salvage: Bool = false,
        _ configure: (inout StorageConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = StorageConfiguration(directory: directory.path)
        configuration.journalSegmentBytes = 256 << 10
        configuration.journalFirstSegmentBytes = 64 << 10
        configuration.retryPauseMsMin = 1
        configuration.retryPauseMsMax = 4
        configure(&configuration)
        let notices = Notices()
        self.notices = notices
        engine = try StorageEngine.open(
            configuration: configuration, salvage: salvage, journalDisk: disk
        ) { sequence in
            notices.seen.change { $0 = (sequence.rawValue, $0.count + 1) }
        }
    }

    var durable: UInt64 { notices.seen.withLock { $0.durable } }

    func apply(_ entries: JournalEntry...) { for entry in entries { last = engine.apply(entry) } }

    /// Commits until a condition holds, waiting for the notices in between.
    func until(_ condition: () -> Bool) {
        while true {
            let before = notices.seen.withLock { $0.count }
            engine.commit()
            if condition() { return }
            notices.seen.wait { $0.count != before ? () : nil }
        }
    }

    /// Until all that was applied is durable.
    func settle() { until { durable >= last.rawValue } }

    /// Until all that was applied is in SQLite and in the logs' files, and nothing is kept in memtables.
    func drain() {
        engine.flush()
        settle()
        until { engine.frozen.isEmpty }
    }

    func value(_ key: String) throws -> String? {
        guard case .value(let bytes) = try engine.register(Key(key)).accepted?.cell.content else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    func keys(_ prefix: String = "", after: String = "", limit: Int = 1_000, bytesMax: Int = 1 << 20) throws -> [String]
    {
        try engine.scan(prefix: Array(prefix.utf8), after: Array(after.utf8), limit: limit, bytesMax: bytesMax).items
            .map(\.key.description)
    }

    func offsets(from: Offset, limit: Offset = .max, bytesMax: Int = 1 << 20) throws -> [Offset] {
        try engine.batches(partition, from: from, limit: limit, bytesMax: bytesMax).map(\.baseOffset)
    }
}
