import Foundation
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
    // Somewhere else in every run, so that runs side by side seldom meet.
    private static let next = Mutex(Int.random(in: 12_000..<30_000))

    /// As many as asked for.
    static func take(_ count: Int) throws -> [Int] {
        try next.withLock { next in
            if next > 31_000 { next = 12_000 }
            guard let ports = Ports.free(count, from: next), let last = ports.last else {
                throw WaitedInVain(description: "no \(count) free ports from \(next) on")
            }
            next = last + 1
            return ports
        }
    }
}
