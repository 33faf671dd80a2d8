import Logging
import StormoClient
import Synchronization
import Wire

/// Reads a topic for `stormo topic consume`, up to its present end or as long as it goes on.
struct RecordReader: Sendable {
    /// Prints a record; false when nobody reads what is printed.
    typealias Line = @Sendable (PositionedRecord) -> Bool

    /// The client to read through.
    let client: StormoClient
    /// The topic.
    let topic: TopicInfo
    /// One partition; nil for all.
    var partition: UInt32?
    /// Where to begin; for a group only in partitions of which it remembers nothing.
    var place: OffsetQuery
    /// End after so many records.
    var limit = Int.max
    /// Go on with what comes later.
    var follows = false

    /// How often a group's positions are looked at, in milliseconds.
    private static let lookMs: UInt64 = 300

    private var partitions: [UInt32] { partition.map { [$0] } ?? Array(0..<UInt32(topic.partitions.count)) }

    /// What several partitions have brought together, up to the limit.
    private final class Count: Sendable {
        private let left: Mutex<Int>

        init(_ limit: Int) { left = Mutex(limit) }

        /// Prints records in order and gives how many of them were within the limit and found a reader. When there is
        /// none any more, that was the last.
        func print(_ records: [PositionedRecord], _ line: Line) -> Int {
            left.withLock { left in
                var taken = 0
                for record in records.prefix(left) {
                    guard line(record) else {
                        left = 0
                        return taken
                    }
                    taken += 1
                }
                left -= taken
                return taken
            }
        }

        var isFull: Bool { left.withLock { $0 == 0 } }

        private let cuts = Mutex<[UInt32: Offset]>([:])

        /// Notes that what came together was left before this place.
        func cut(_ partition: UInt32, before offset: Offset) { cuts.withLock { $0[partition] = offset } }

        /// Where partitions were left within what came together.
        var allCuts: [UInt32: Offset] { cuts.withLock { $0 } }
    }

    /// What was wanted has been read.
    private struct Enough: Error {}

    /// Gives the records to `line`, those of a partition in order.
    func read(_ line: @escaping Line) async throws {
        let count = Count(limit)
        if follows { return try await follow(count, line) }
        for partition in partitions where !count.isFull {
            var offset = try await client.find(topic.name, partition: partition, place).offset
            let end = try await client.find(topic.name, partition: partition, .latest).offset
            while offset < end, !count.isFull {
                let found = try await client.fetch(topic.name, partition: partition, offset: offset, life: topic.id)
                guard found.nextOffset > offset else { break }
                _ = count.print(found.records.filter { $0.position.offset < end }, line)
                offset = found.nextOffset
            }
        }
    }

    private func follow(_ count: Count, _ line: @escaping Line) async throws {
        var positions: [UInt32: Offset] = [:]
        for partition in partitions {
            positions[partition] = try await client.find(topic.name, partition: partition, place).offset
        }
        if let partition, let first = positions[partition] {
            var offset = first
            while !count.isFull {
                let found = try await client.fetch(
                    topic.name, partition: partition, offset: offset, waitMs: Fetch.waitMsMax / 3, life: topic.id)
                _ = count.print(found.records, line)
                offset = found.nextOffset
            }
            return
        }
        do {
            try await TopicTail(client: client, topic: topic.name, logger: Self.quiet).run(
                from: positions, start: .earliest
            ) { records, _ in
                _ = count.print(records, line)
                if count.isFull { throw Enough() }
            }
        } catch is Enough {}
    }

    /// Gives the records that a group has not read to `line`, as a member of it. Without `follows` it ends when the group
    /// has read all that there was at the beginning.
    func read(asMemberOf group: String, _ line: @escaping Line) async throws {
        let count = Count(limit)
        var ends: [UInt32: Offset] = [:]
        if !follows {
            for partition in partitions {
                ends[partition] = try await client.find(topic.name, partition: partition, .latest).offset
            }
        }
        let consumer = GroupConsumer(
            client: client, topic: topic.name, group: group, start: place == .latest ? .latest : .earliest,
            logger: Self.quiet)
        try await withThrowingTaskGroup(of: Void.self) { [ends] tasks in
            tasks.addTask {
                try await consumer.run { records in
                    let taken = count.print(records, line)
                    guard taken < records.count || count.isFull, let last = records.prefix(taken).last else {
                        // Nothing of it was printed: it is the next reader's.
                        if taken < records.count { try await Self.untilCancelled() }
                        return
                    }
                    count.cut(last.position.partition, before: last.position.offset + 1)
                    try await Self.untilCancelled()
                }
            }
            tasks.addTask {
                while !count.isFull {
                    try await Task.sleep(for: .milliseconds(Self.lookMs))
                    guard !follows else { continue }
                    if try await isRead(by: group, to: ends) { return }
                }
            }
            defer { tasks.cancelAll() }
            try await tasks.next()
        }
        // What was printed of a batch that was not handled to its end counts as read.
        for (partition, offset) in count.allCuts {
            try await client.seek(group: group, topic: topic.name, partition: partition, to: .offset(offset))
        }
    }

    private func isRead(by group: String, to ends: [UInt32: Offset]) async throws -> Bool {
        guard let state = try await client.group(group) else { return false }
        let mine = state.partitions.filter { $0.topic == topic.name }
        return ends.allSatisfy { partition, end in
            mine.contains { $0.partition == partition && $0.committed.map { $0 >= end } ?? false }
        }
    }

    private static func untilCancelled() async throws {
        while true { try await Task.sleep(for: .seconds(3_600)) }
    }

    private static let quiet = Logger(label: "consume") { _ in SwiftLogNoOpLogHandler() }
}
