import Foundation
import Histogram
import Testing
import Wire

@testable import Stormo

@Suite struct BenchTests {
    /// A thousand operations of 1, 2, … 1000 µs, split over all workers.
    private func tally() -> BenchTally {
        let recorder = LatencyRecorder()
        for us in 1...1_000 { recorder.record(worker: us, latencyNs: UInt64(us) * 1_000, items: 2) }
        recorder.record(worker: 3, error: "no quorum", detail: "no quorum: 1 of 3 answered")
        recorder.record(worker: 3, error: "no quorum", detail: "no quorum: 0 of 3 answered")
        return recorder.total
    }

    @Test func `parts of all workers are put together`() {
        let tally = tally()
        #expect(tally.operations == 1_000)
        #expect(tally.items == 2_000)
        #expect(tally.errors == ["no quorum": 2])
        // Three digits: within a thousandth of the true percentile.
        for (percentile, us) in [(50.0, 500.0), (99, 990), (99.9, 999), (100, 1_000)] {
            let found = Double(tally.latencies.valueAtPercentile(percentile)) / 1_000
            #expect(abs(found - us) <= us / 500, "p\(percentile) is \(found)")
        }
    }

    @Test func `times beyond the scale count as the longest`() {
        let recorder = LatencyRecorder()
        recorder.record(worker: 0, latencyNs: .max, items: 1)
        recorder.record(worker: 0, latencyNs: 0, items: 1)
        #expect(recorder.total.latencies.totalCount == 2)
    }

    @Test func `the report lines up and divides processor time by operations`() {
        let processes = [UpState.Process(name: "node-1", pid: 1), UpState.Process(name: "bench", pid: 2)]
        let report = BenchReport(
            workload: "kv put", parameters: ["value bytes": 100, "keys": 10], itemName: nil, processes: processes,
            results: [
                BenchResult(
                    concurrency: 1, seconds: 2, tally: tally(), beganAtMs: 7, eachSecond: [400, 600],
                    usage: BenchUsage(processorUs: [30_000, nil], diskBytes: 4_000, wireBytesIn: nil)),
                BenchResult(
                    concurrency: 256, seconds: 2, tally: BenchTally(), beganAtMs: 8, eachSecond: [],
                    usage: BenchUsage(processorUs: [5, 5])),
            ])
        #expect(report.runs[0].processorUsPerOperation == ["node-1": 30])
        #expect(report.runs[0].perSecond == 500)
        #expect(report.runs[0].beganAtMs == 7 && report.runs[0].eachSecond == [400, 600])
        #expect(report.runs[0].itemsPerSecond == 1_000)
        #expect(report.runs[1].p99Us == 0)
        let lines = report.lines
        #expect(lines[0] == "kv put: keys 10, value bytes 100")
        #expect(lines[1].hasSuffix("ERRORS  IN B  OUT B  DISK B  node-1  bench"))
        #expect(Set(lines[1...3].map(\.count)).count == 1, "\(lines)")
        #expect(lines[2].contains("  500  "))
        #expect(lines[2].hasSuffix("2     -      -       4    30.0      -"))
        #expect(lines.last == "1 at once: 2 failed: no quorum: 1 of 3 answered")
    }

    @Test func `records have the size that was asked for and are JSON`() throws {
        for number in [UInt64(0), 7, 99_999_999_999] {
            let value = BenchRecords(bytes: 200).value(number)
            #expect(value.count == 200)
            #expect(value.first == UInt8(ascii: "{") && value.last == UInt8(ascii: "}"))
        }
        #expect(BenchRecords(bytes: 200).value(1) != BenchRecords(bytes: 200).value(2))
    }

    @Test func `a numbered record is JSON of the same size and tells its number`() throws {
        let records = BenchRecords(bytes: 200)
        for number in [UInt64(0), 7, 123_456_789_012] {
            let record = records.numbered(number)
            #expect(record.value.count == 200)
            #expect(BenchRecords.number(of: record) == Int(number))
            let text = String(decoding: record.value, as: UTF8.self)
            let parsed = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
            #expect(parsed?["nr"] as? Int == Int(number))
        }
        #expect(BenchRecords.number(of: Record(key: nil, value: Array("{}".utf8), timestampMs: 0)) == nil)
    }

    /// A second's warm-up and two seconds at 10 a second: records 10 to 29 are measured.
    @Test func `a flow counts what was due, came and went missing`() {
        let schedule = FlowSchedule(rate: 10, warmUpMs: 1_000, durationMs: 2_000)
        #expect(schedule.count == 30 && schedule.firstMeasured == 10)
        #expect(schedule.due(15) == schedule.begin + .milliseconds(1_500))
        let tally = FlowTally(schedule: schedule)
        let records = BenchRecords(bytes: 200)
        #expect(tally.began(30))
        tally.acknowledged(0..<20)
        tally.failed(10, "no quorum", "no quorum: 1 of 3")
        tally.delivered((0..<15).map { records.numbered($0) })
        // Again, as delivery at least once allows: counts once.
        tally.delivered([records.numbered(3), records.numbered(14)])
        #expect(tally.missing == 5)
        let result = tally.result(nil)
        #expect(result.due == 20 && result.acknowledged == 10 && result.missing == 5)
        #expect(result.deliveries.totalCount == 5)
        #expect(result.errors == ["no quorum": 10])
        let report = FlowReport(parameters: ["record bytes": 200], processes: [], results: [result])
        #expect(report.lines.contains("10 a second: 5 were acknowledged and never came"))
        #expect(Set(report.lines[1...3].map(\.count)).count == 1, "\(report.lines)")
    }

    @Test func `a walk reaches all keys`() {
        var walk = KeyWalk(worker: 3)
        var seen: Set<Int> = []
        for _ in 0..<4_000 { seen.insert(walk.take() % 100) }
        #expect(seen.count == 100)
    }

    @Test func `process times are read behind any name`() throws {
        let stat =
            "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 8 0 1000 999424 25 18446744073709551615 1 1"
        let times = try #require(ProcessTimes(stat: stat, ticksPerSecond: 100, pageBytes: 4_096))
        #expect(times.processorUs == 2_000_000)
        #expect(times.residentBytes == 25 * 4_096)
        #expect(ProcessTimes(stat: "42 (short) S 1", ticksPerSecond: 100, pageBytes: 4_096) == nil)
    }
}
