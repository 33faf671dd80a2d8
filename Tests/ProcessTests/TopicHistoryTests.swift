import StormoClient
import Testing
import Wire

/// The check of a topic's history finds what it is there for: made-up histories with known verdicts.
@Suite struct TopicHistoryTests {
    /// A producer that was told that its records 1 to `count` of partition 0 stand at offsets from 0 on.
    private func history(_ count: Int) -> TopicHistory {
        var history = TopicHistory()
        for number in 1...count { history.told(name(number), .acknowledged(place(number - 1))) }
        return history
    }

    private func name(_ number: Int, producer: Int = 0) -> RecordName {
        RecordName(producer: producer, partition: 0, number: number)
    }

    private func place(_ offset: Int) -> RecordPosition { RecordPosition(partition: 0, offset: UInt64(offset)) }

    /// Records in this order, from offset 0 on.
    private func log(_ names: [RecordName]) -> [PositionedRecord] {
        names.enumerated().map { offset, name in
            PositionedRecord(position: place(offset), record: .init(key: nil, value: name.bytes, timestampMs: 1))
        }
    }

    @Test func `a whole log in order has no fault`() {
        var history = history(3)
        let records = log([name(1), name(2), name(3)])
        history.read(Array(records.prefix(2)))
        #expect(history.faults(in: records).isEmpty)
    }

    @Test func `a lost record is found`() {
        #expect(history(3).faults(in: log([name(1), name(2)])) == [.lost(name(3))])
        let middle = history(3).faults(in: log([name(1), name(3)]))
        #expect(middle.contains(.lost(name(2))) && middle.contains(.moved(name(3))))
    }

    @Test func `a record that a reader has seen may not vanish, though its outcome is unknown`() {
        var history = history(1)
        history.told(name(2), .unknown)
        history.read(log([name(1), name(2)]))
        #expect(history.faults(in: log([name(1)])) == [.lost(name(2))])
    }

    @Test func `a record that stands elsewhere than a reader saw it is found`() {
        var history = TopicHistory()
        history.told(name(1), .unknown)
        history.told(name(1, producer: 1), .unknown)
        history.read(log([name(1), name(1, producer: 1)]))
        let faults = history.faults(in: log([name(1, producer: 1), name(1)]))
        #expect(Set(faults) == [.moved(name(1)), .moved(name(1, producer: 1))])
    }

    @Test func `reordered records are found`() {
        let faults = history(3).faults(in: log([name(1), name(3), name(2)]))
        #expect(faults.contains(.reordered(name(2))))
        #expect(!faults.contains { $0.kind == "lost" || $0.kind == "duplicated" })
    }

    @Test func `records of two producers may stand in any order`() {
        var history = TopicHistory()
        history.told(name(1), .acknowledged(place(1)))
        history.told(name(1, producer: 1), .acknowledged(place(0)))
        history.told(name(2, producer: 1), .acknowledged(place(2)))
        let records = log([name(1, producer: 1), name(1), name(2, producer: 1)])
        #expect(history.faults(in: records).isEmpty)
    }

    @Test func `a duplicate is found, of an acknowledged record and of one of unknown outcome`() {
        #expect(history(2).faults(in: log([name(1), name(2), name(1)])) == [.duplicated(name(1))])
        var unknown = history(1)
        unknown.told(name(2), .unknown)
        #expect(unknown.faults(in: log([name(1), name(2), name(2)])) == [.duplicated(name(2))])
    }

    @Test func `a record of unknown outcome may be there once, late, or not at all`() {
        var history = history(2)
        history.told(name(3), .unknown)
        history.told(name(4), .acknowledged(place(2)))
        #expect(history.faults(in: log([name(1), name(2), name(4)])).isEmpty)
        #expect(history.faults(in: log([name(1), name(2), name(4), name(3)])).isEmpty)
    }

    @Test func `a record that was refused for certain may not be there`() {
        var history = history(1)
        history.told(name(2), .refused)
        #expect(history.faults(in: log([name(1)])).isEmpty)
        #expect(history.faults(in: log([name(1), name(2)])) == [.refusedAndKept(name(2))])
    }

    @Test func `what nobody published, and what is missing between others, is found`() {
        let records = log([name(1), name(7)])
        #expect(history(1).faults(in: records) == [.stray(place(1))])
        let gap = history(1).faults(in: log([name(1), name(1)]).filter { $0.position.offset == 1 })
        #expect(gap.contains(.gap(place(0))))
    }
}
