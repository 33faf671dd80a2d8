import Glibc
import StormoClient
import Testing
import Wire

@testable import Stormo

extension ProcessTests {
    /// A node whose disk is full says so and takes no more writes; the others go on.
    @Suite(.enabled(if: Namespaces.obstacle == nil, Comment(rawValue: Namespaces.obstacle ?? "")))
    struct FullDiskTests {
        private static let disk = "/mnt"
        private static let diskBytes = 12 << 20

        @Test func `a node with a full disk is read-only until there is room, the cluster goes on`() async throws {
            let directory = try TestDirectory()
            // A disk that only the first node sees, and that is gone with the mounts.
            let mounts = try await Namespaces([.mounts], in: directory)
            try await mounts.run(
                ["/usr/bin/mount", "-t", "tmpfs", "-o", "size=\(Self.diskBytes),mode=0700", "stormo-test", Self.disk])
            var places = try NodePlace.loopback(3)
            places[0].launcher = mounts.launcher
            places[0].data = "\(Self.disk)/n1"
            // So small that the node needs more disk all the time.
            for index in places.indices {
                places[index].arguments = ["--journal-segment-bytes", "1MiB", "--memtable-bytes", "256KiB"]
            }
            try await KeyScene.with(places, in: directory) { scene in
                for round in 0..<TestLength.rounds(1, long: 5) {
                    scene.load.history.resetGaps()
                    let ballast = try Ballast(mounts.outside("\(Self.disk)/ballast"))
                    let filler = Filler(scene.client, round: round)
                    try await eventually("the node with the full disk is read-only", scene.cluster.running) {
                        try ballast.grow()
                        try await filler.write()
                        return try await scene.cluster.figure("storage_read_only", of: 0, by: scene.client) == 1
                    }
                    try await scene.expectRecovery(after: "the disk of n1 is full, round \(round + 1)")
                    try await scene.load.progress(scene.cluster, 50)
                    for _ in 0..<10 { try await filler.write() }
                    #expect(try await scene.cluster.figure("storage_read_only", of: 0, by: scene.client) == 1)
                    #expect(scene.cluster[0].exit == nil)
                    #expect(scene.cluster[0].log.contains("n1 takes no writes until its disk does: the disk is full"))

                    scene.load.history.resetGaps()
                    try ballast.remove()
                    try await eventually("the node takes writes again", scene.cluster.running) {
                        try await scene.cluster.figure("storage_read_only", of: 0, by: scene.client) == 0
                            && scene.cluster[0].log.contains("n1 takes writes again")
                    }
                    try await scene.expectRecovery(after: "there is room again, round \(round + 1)")
                    try await filler.expectAll()
                }
            }
        }
    }
}

/// A file that takes all the room that is left.
private struct Ballast {
    private let path: String

    init(_ path: String) throws {
        self.path = path
        try grow()
    }

    /// Takes what has become free.
    func grow() throws {
        let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw WaitedInVain(description: "\(path): \(Files.text(ofError: errno))") }
        defer { close(file) }
        // Large pieces first, then what is left of a page.
        for bytes in [1 << 20, 4_096] {
            let piece = [UInt8](repeating: 0xB5, count: bytes)
            // What is left may take a part of the last piece; the one after it fails.
            while Glibc.write(file, piece, bytes) > 0 {}
            guard errno == ENOSPC else {
                throw WaitedInVain(description: "\(path): \(Files.text(ofError: errno)), expected a full disk")
            }
        }
    }

    func remove() throws {
        guard unlink(path) == 0 else { throw WaitedInVain(description: "\(path): \(Files.text(ofError: errno))") }
    }
}

/// Values that need room, each under a key of its own.
private final class Filler {
    private let client: StormoClient
    private let round: Int
    private var count = 0

    init(_ client: StormoClient, round: Int) {
        self.client = client
        self.round = round
    }

    private func key(_ number: Int) -> Key { Key("filler/\(round)/\(number)") }

    private func value(_ number: Int) -> [UInt8] {
        [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 32 << 10)
    }

    /// Writes one more; it must be acknowledged whatever the disk of one node does.
    func write() async throws {
        try await client.put(key(count), value(count))
        count += 1
    }

    /// Everything that was acknowledged is there.
    func expectAll() async throws {
        for number in 0..<count { #expect(try await client.get(key(number))?.value == value(number)) }
        print("    \(count) values of 32 KiB were written meanwhile and are there")
    }
}
