import FleetRules
import NodeCore
import NodeShell
import StormoClient
import Synchronization
import Wire

/// What a benchmark does over and over.
protocol BenchWorkload: Sendable {
    /// What one worker keeps from one operation to the next.
    associatedtype Worker: Sendable

    /// Its name: `kv put`.
    var title: String { get }
    /// Makes what it needs, before anything is measured. `progress` tells how far it is.
    func prepare(_ client: StormoClient, progress: @Sendable (String) -> Void) async throws
    /// A worker, by its number.
    func worker(_ number: Int) -> Worker
    /// One operation; gives how many things it carried.
    func operate(_ client: StormoClient, _ worker: inout Worker) async throws -> Int
}

/// An operation of a benchmark that was answered, and not as it should be.
struct BenchMismatch: Error, CustomStringConvertible {
    let description: String
}

/// The keys and values of the key benchmarks.
struct BenchKeys: Sendable {
    /// How many keys there are.
    let count: Int
    /// The value, the same for all.
    let value: [UInt8]

    /// Keys with values of a size: letters and digits, which is what values are mostly made of.
    init(count: Int, valueBytes: Int) {
        self.count = count
        let alphabet = Array("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
        value = (0..<valueBytes).map { alphabet[($0 * 7) % alphabet.count] }
    }

    /// A key by its number.
    func key(_ number: Int) -> Key { Key("bench:\(number % count)") }

    /// Writes all keys, a thousand at a time.
    func fill(_ client: StormoClient, progress: @Sendable (String) -> Void) async throws {
        let inFlight = min(256, count)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for lane in 0..<inFlight {
                group.addTask {
                    for number in stride(from: lane, to: count, by: inFlight) {
                        try await client.put(key(number), value)
                    }
                }
            }
            progress("writing \(count) keys first")
            try await group.waitForAll()
        }
    }
}

/// Numbers of keys, one as likely as another.
struct KeyWalk: Sendable {
    private var generator: SplitMix64

    /// A walk of its own for every worker, the same every time.
    init(worker: Int) { generator = SplitMix64(seed: UInt64(worker)) }

    /// The next number, 0 or more.
    mutating func take() -> Int { Int(generator.next() >> 33) }
}

/// Overwrites keys.
struct KeyPutWorkload: BenchWorkload {
    let title = "kv put"
    let keys: BenchKeys

    func prepare(_ client: StormoClient, progress: @Sendable (String) -> Void) async throws {}

    func worker(_ number: Int) -> KeyWalk { KeyWalk(worker: number) }

    func operate(_ client: StormoClient, _ worker: inout KeyWalk) async throws -> Int {
        try await client.put(keys.key(worker.take()), keys.value)
        return 1
    }
}

/// Reads keys that are there.
struct KeyGetWorkload: BenchWorkload {
    let title = "kv get"
    let keys: BenchKeys

    func prepare(_ client: StormoClient, progress: @Sendable (String) -> Void) async throws {
        try await keys.fill(client, progress: progress)
    }

    func worker(_ number: Int) -> KeyWalk { KeyWalk(worker: number) }

    func operate(_ client: StormoClient, _ worker: inout KeyWalk) async throws -> Int {
        guard try await client.get(keys.key(worker.take())) != nil else {
            throw BenchMismatch(description: "a key is missing")
        }
        return 1
    }
}

/// Overwrites and reads keys by turns, whether they are there or not.
struct KeyMixedWorkload: BenchWorkload {
    /// Where a worker walks, and what it does next.
    struct Worker: Sendable {
        var walk: KeyWalk
        var isPut: Bool
    }

    let title = "kv mixed"
    let keys: BenchKeys

    func prepare(_ client: StormoClient, progress: @Sendable (String) -> Void) async throws {}

    func worker(_ number: Int) -> Worker { Worker(walk: KeyWalk(worker: number), isPut: number.isMultiple(of: 2)) }

    func operate(_ client: StormoClient, _ worker: inout Worker) async throws -> Int {
        let key = keys.key(worker.walk.take())
        defer { worker.isPut.toggle() }
        if worker.isPut { try await client.put(key, keys.value) } else { _ = try await client.get(key) }
        return 1
    }
}

/// Changes keys by compare-and-set, each worker one of its own, from version to version.
struct KeyCompareAndSetWorkload: BenchWorkload {
    /// A worker's key and its version, once known.
    struct Worker: Sendable {
        let key: Key
        var version: Ballot?
    }

    let title = "kv cas"
    let keys: BenchKeys

    func prepare(_ client: StormoClient, progress: @Sendable (String) -> Void) async throws {}

    func worker(_ number: Int) -> Worker { Worker(key: Key("bench-cas:\(number)"), version: nil) }

    func operate(_ client: StormoClient, _ worker: inout Worker) async throws -> Int {
        if worker.version == nil { worker.version = try await client.get(worker.key)?.version }
        let known = worker.version
        // Whatever happens now, the version has to be asked for again unless the answer tells it.
        worker.version = nil
        let answer = try await client.compareAndSet(worker.key, keys.value, if: known.map { .version($0) } ?? .absent)
        guard answer.applied else { throw BenchMismatch(description: "somebody else changed the key") }
        worker.version = answer.version
        return 1
    }
}

/// Publishes records.
struct TopicPublishWorkload: BenchWorkload {
    let title = "topic publish"
    let records: BenchRecords
    let topic: String
    let batch: Int

    func prepare(_ client: StormoClient, progress: @Sendable (String) -> Void) async throws {
        _ = try await client.topic(topic, creating: TopicConfiguration())
    }

    func worker(_ number: Int) -> UInt64 { UInt64(number) << 32 }

    func operate(_ client: StormoClient, _ worker: inout UInt64) async throws -> Int {
        let first = worker
        worker += UInt64(batch)
        try await client.publish(topic, (0..<UInt64(batch)).map { records.record(first + $0) })
        return batch
    }
}

/// Reads a topic from its beginning, over and over, as many consumers without a group do.
final class TopicConsumeWorkload: BenchWorkload {
    /// Where a worker reads.
    struct Worker: Sendable {
        let lane: Int
        var offset: Offset
    }

    /// How many records a topic must hold for reading to be measured: a hundred fetches of a mebibyte.
    static let recordsMin: UInt64 = 500_000

    let title = "topic consume"
    let records: BenchRecords
    let topic: String
    let fetchBytes: Int
    private let partitions = Mutex(1)

    init(records: BenchRecords, topic: String, fetchBytes: Int) {
        self.records = records
        self.topic = topic
        self.fetchBytes = fetchBytes
    }

    func prepare(_ client: StormoClient, progress: @Sendable (String) -> Void) async throws {
        guard let info = try await client.topic(topic, creating: TopicConfiguration()) else { return }
        let (records, topic) = (records, topic)
        partitions.withLock { $0 = max(1, info.partitions.count) }
        let all = try await client.topics().first { $0.name == topic }?.partitions ?? []
        var held = all.reduce(UInt64(0)) { $0 + ($1.highWatermark - min($1.highWatermark, $1.firstOffset)) }
        while held < Self.recordsMin {
            progress("publishing records first: \(held) of \(Self.recordsMin)")
            let first = held
            try await withThrowingTaskGroup(of: Void.self) { group in
                for lane in 0..<UInt64(8) {
                    group.addTask {
                        try await client.publish(topic, (0..<1_000).map { records.record(first + lane * 1_000 + $0) })
                    }
                }
                try await group.waitForAll()
            }
            held += 8_000
        }
    }

    func worker(_ number: Int) -> Worker { Worker(lane: number, offset: 0) }

    func operate(_ client: StormoClient, _ worker: inout Worker) async throws -> Int {
        let partition = UInt32(worker.lane % partitions.withLock { $0 })
        do {
            let fetched = try await client.fetch(
                topic, partition: partition, offset: worker.offset, bytesMax: fetchBytes)
            worker.offset = fetched.nextOffset < fetched.highWatermark ? fetched.nextOffset : fetched.firstOffset
            return fetched.records.count
        } catch {
            // Retention has passed the worker: it goes on at the first record left.
            if case .refused(.offsetOutOfRange, _) = error {
                worker.offset = try await client.fetch(topic, partition: partition, offset: .max).firstOffset
            }
            throw error
        }
    }
}

/// The records of the topic benchmarks: JSON like a meter's reading, filled up to a size.
struct BenchRecords: Sendable {
    /// Size of each record's value, in bytes.
    let bytes: Int
    /// Values without their notes, made ahead: what is measured is publishing them.
    private let templates: [Template]

    private struct Template: Sendable {
        var value: [UInt8]
        var note: Range<Int>
    }

    private static let templatesMade: UInt64 = 1_024
    /// 64 of them: six bits choose one.
    private static let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_".utf8)

    /// Records with values of a size.
    init(bytes: Int) {
        self.bytes = bytes
        templates = (0..<Self.templatesMade).map { Self.template($0, bytes: bytes) }
    }

    /// A record by its number.
    func record(_ number: UInt64) -> Record {
        Record(key: Array("\(number % 1_000)".utf8), value: value(number), timestampMs: SystemClock.now.wallMs)
    }

    /// The value of a record: no two have the same note, so that a batch shrinks by what JSON repeats and no more.
    func value(_ number: UInt64) -> [UInt8] {
        let template = templates[Int(number % Self.templatesMade)]
        var value = template.value
        var generator = SplitMix64(seed: number)
        Self.letters.withUnsafeBufferPointer { letters in
            value.withUnsafeMutableBufferPointer { value in
                var bits: UInt64 = 0
                for (step, place) in template.note.enumerated() {
                    if step % 10 == 0 { bits = generator.next() }
                    value[place] = letters[Int(bits & 63)]
                    bits >>= 6
                }
            }
        }
        return value
    }

    /// A record that tells its number.
    func numbered(_ number: UInt64) -> Record {
        var record = record(number)
        let digits = "\(number)".utf8.suffix(Self.digits)
        let end = Self.beforeNumber.count + Self.digits
        record.value.replaceSubrange(end - digits.count..<end, with: digits)
        return record
    }

    /// The number of a record made by `numbered`; nil for any other.
    static func number(of record: Record) -> Int? {
        guard record.value.starts(with: beforeNumber.utf8) else { return nil }
        var number: Int?
        for byte in record.value.dropFirst(beforeNumber.count).prefix(digits) where byte != UInt8(ascii: " ") {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            number = (number ?? 0) * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return number
    }

    private static let beforeNumber = "{\"nr\":"
    private static let digits = 12

    private static func template(_ number: UInt64, bytes: Int) -> Template {
        let kw = 4 + Double(number % 977) / 200
        let current = Text.fixed(kw * 2.7, digits: 2)
        let text =
            "\(beforeNumber)\(String(repeating: " ", count: digits - 1))0,\"piano\":\(number),"
            + "\"sensore1_kwh\":\(1_000 + number * 97).\(number % 10),\"sensore2_kw\":\(kw),"
            + "\"sensore3_corrente\":\(current),\"sensore3_tensione\":\(228 + number % 5).5,\"note\":\""
        let end = Array("\"}".utf8)
        let note = max(0, bytes - text.utf8.count - end.count)
        return Template(
            value: Array(text.utf8) + Array(repeating: UInt8(ascii: "-"), count: note) + end,
            note: text.utf8.count..<text.utf8.count + note)
    }
}
