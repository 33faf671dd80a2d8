import FoundationEssentials
import Testing

@testable import Stormo

@Suite struct ChildProcessTests {
    /// Runs a shell script as a child; gives how it ended and what it wrote.
    private func run(_ script: String) async throws -> (ChildExit, String) {
        let log = "\(FileManager.default.temporaryDirectory.path)/stormo-child-\(UInt64.random(in: 0 ... .max))"
        defer { try? FileManager.default.removeItem(atPath: log) }
        let lifeline = try LifelinePipe()
        let command = ChildCommand(
            executable: "/bin/sh", arguments: ["-c", script], environment: ["GREETING": "hello"], logPath: log)
        let (ends, source) = AsyncStream.makeStream(of: ChildExit.self)
        _ = try ChildProcess.spawn(command, lifeline: lifeline) { source.yield($0) }
        var iterator = ends.makeAsyncIterator()
        let status = try #require(await iterator.next())
        return (status, String(decoding: try Files.read(log, bytesMax: 1 << 16), as: UTF8.self))
    }

    @Test func `a child has its environment, and its output is in its log`() async throws {
        let (status, text) = try await run("echo $GREETING; echo problem >&2; exit 7")
        #expect(status == .code(7))
        #expect(text == "hello\nproblem\n")
    }

    @Test func `a child that is killed is told apart`() async throws {
        let (status, _) = try await run("kill -9 $$")
        #expect(status == .signal(9))
    }

    @Test func `a child has a process group of its own`() async throws {
        let (_, text) = try await run("read -r _ _ _ _ group _ < /proc/$$/stat; echo $group; echo $$")
        let lines = text.split(separator: "\n")
        #expect(lines.count == 2 && lines[0] == lines[1], "\(text)")
    }

    @Test func `a program that does not exist is told at once`() throws {
        let command = ChildCommand(executable: "/nonexistent", arguments: [], environment: [:], logPath: "/dev/null")
        #expect { try ChildProcess.spawn(command, lifeline: try LifelinePipe()) { _ in } } throws: {
            "\($0)" == "/nonexistent: No such file or directory"
        }
    }

    @Test func `a port in use is not free`() throws {
        let free = try #require(Ports.free(2, from: 20_000))
        #expect(free.count == 2 && free[0] != free[1])
        #expect(!Ports.answers(free[0]))
        #expect(Ports.free(1, from: 40_000) == nil)
    }
}
