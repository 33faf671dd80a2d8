import Glibc
import NodeCore
import Testing
import Wire

@testable import NodeStorage

/// Many small keys. `STORMO_KEYS` says how many; then the figures are printed, and from a million on the memory is held
/// against its bound. `STORMO_SCALE_DIRECTORY` names an existing directory to work in.
@Suite struct ScaleTests {
    private static let asked = getenv("STORMO_KEYS").flatMap { Int(String(cString: $0)) }
    private let keys = asked ?? 20_000

    /// A key of 24 bytes. Their order has nothing to do with the numbers.
    private func key(_ number: Int) -> Key {
        var numbers = Numbers(UInt64(number))
        let digits = String(numbers.next(), radix: 36)
        return Key("reading/" + String(repeating: "0", count: 16 - digits.count) + digits)
    }

    /// A value of 32 bytes.
    private func value(_ number: Int, _ round: Int) -> RegisterState {
        let text = "\(number) \(round)"
        return state(UInt64(number + round + 1), text + String(repeating: ".", count: 32 - text.utf8.count))
    }

    private func seconds(_ body: () throws -> Void) rethrows -> Double {
        let began = StorageCounters.now()
        try body()
        return Double(StorageCounters.now() - began) / 1e9
    }

    private func report(_ line: String) { if Self.asked != nil { print(line) } }

    /// A line of `/proc/self/status`, in MiB.
    private func memory(_ name: String) throws -> Int {
        let file = try PosixFile("/proc/self/status", O_RDONLY)
        defer { file.close() }
        let text = String(decoding: try file.read(at: 0, count: 64 << 10), as: UTF8.self)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix(name + ":") })
        return try #require(line.split(separator: " ").dropFirst().first.flatMap { Int($0) }) >> 10
    }

    private func diskMiB(_ path: String) throws -> Int {
        let file = try PosixFile(path, O_RDONLY)
        defer { file.close() }
        // What is not in memory must be read from the disk, as after a restart of the machine.
        posix_fadvise(file.descriptor, 0, 0, POSIX_FADV_DONTNEED)
        return try file.count() >> 20
    }

    private func write(_ numbers: some Sequence<Int>, round: Int, to test: TestEngine) {
        for (count, number) in numbers.enumerated() {
            test.apply(.register(key(number), value(number, round)))
            if count % 256 == 255 { test.engine.commit() }
            // What the core does: no more than so much waits for the disk.
            if test.engine.backlogBytes > 16 << 20 { test.until { test.engine.backlogBytes < 8 << 20 } }
        }
        test.drain()
    }

    private func reads(_ numbers: [Int], round: Int, of test: TestEngine) throws -> String {
        var wrong = 0
        let took = try seconds {
            for number in numbers where try test.engine.register(key(number)) != value(number, round) { wrong += 1 }
        }
        #expect(wrong == 0)
        return "\(Int(Double(numbers.count) / took))/s"
    }

    @Test func manyKeysStayWithinTheMemory() throws {
        let directory = TemporaryDirectory()
        let path = getenv("STORMO_SCALE_DIRECTORY").map { String(cString: $0) } ?? directory.path
        func open() throws -> TestEngine {
            try TestEngine(directory) {
                $0 = StorageConfiguration(directory: path)
                if Self.asked == nil { $0.memtableBytesMax = 1 << 20 }
            }
        }
        var random = Numbers(1)
        let some = (0..<max(keys / 100, 1_000)).map { _ in Int.random(in: 0..<keys, using: &random) }

        var test = try open()
        let loaded = seconds { write(0..<keys, round: 0, to: test) }
        #expect(test.engine.statistics["sqlite_keys"] == UInt64(keys))
        let flushUs = test.engine.statistics["flush_us_total"]
        report("load: \(Int(Double(keys) / loaded)) keys/s, to SQLite \(keys * 1_000_000 / Int(flushUs + 1)) keys/s")
        report("memory: \(try memory("VmRSS")) MiB, at most \(try memory("VmHWM")) MiB")
        let renewed = seconds { write(some, round: 1, to: test) }
        let againUs = test.engine.statistics["flush_us_total"] - flushUs
        report(
            "updates: \(Int(Double(some.count) / renewed)) keys/s, "
                + "to SQLite \(some.count * 1_000_000 / Int(againUs + 1)) keys/s")
        try test.engine.close()

        let files = "\(try diskMiB(path + "/state.sqlite")) MiB"
        let opened = try seconds { test = try open() }
        report("disk: \(files); opened in \(opened) s")
        report("cold reads: \(try reads(some, round: 1, of: test))")
        report("memory: \(try memory("VmRSS")) MiB, at most \(try memory("VmHWM")) MiB")
        let listed = try seconds {
            let page = try test.engine.scan(prefix: [], after: [], limit: 10_000, bytesMax: 8 << 20)
            #expect(page.items.count == min(keys, 10_000))
        }
        report("listing: \(Int(Double(min(keys, 10_000)) / listed)) keys/s")
        if keys >= 1_000_000 { #expect(try memory("VmHWM") < 512) }
        try test.engine.close()
    }
}
