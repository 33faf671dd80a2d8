import Foundation
import Glibc
import Synchronization

@testable import Stormo

/// A directory of a test's own, removed with its end.
final class TestDirectory: Sendable {
    /// From the root.
    let path: String
    private let count = Atomic<Int>(0)

    init() throws {
        path = NSTemporaryDirectory() + "stormo-test-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// A path in the directory at which nothing is yet.
    func newPath(_ name: String) -> String {
        "\(path)/\(count.add(1, ordering: .relaxed).newValue)-\(name)"
    }

    /// Writes a file and gives its path.
    func file(_ name: String, _ text: String) throws -> String {
        let path = newPath(name)
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        return path
    }
}

/// Free ports of the loopback address, none given twice.
enum FreePorts {
    /// Where they are taken from: `STORMO_TEST_PORTS`, as in `20000-24999`, or most of those that the system gives to
    /// nobody by itself.
    private static let range: Range<Int> = {
        let given = getenv("STORMO_TEST_PORTS").map { String(cString: $0).split(separator: "-").compactMap { Int($0) } }
        guard let given, given.count == 2, given[0] < given[1] else { return 12_000..<31_000 }
        return given[0]..<given[1]
    }()

    // Somewhere else in every run, so that runs side by side seldom meet.
    private static let next = Mutex(Int.random(in: range))

    /// As many as asked for.
    static func take(_ count: Int) throws -> [Int] {
        try next.withLock { next in
            for _ in 0..<2 {
                if let ports = Ports.free(count, from: next), let last = ports.last, last < range.upperBound {
                    next = last + 1
                    return ports
                }
                next = range.lowerBound
            }
            throw WaitedInVain(description: "no \(count) free ports in \(range)")
        }
    }
}
