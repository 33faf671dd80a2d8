import FoundationEssentials
import Testing

@testable import Stormo

/// Each test has a directory of its own.
@Suite final class UpDirectoryTests {
    private let directory: UpDirectory

    init() throws {
        directory = UpDirectory(
            path: "\(FileManager.default.temporaryDirectory.path)/stormo-up-\(UInt64.random(in: 0 ... .max))")
        try Files.makeDirectory(directory.logsPath)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory.path) }

    @Test func `the state comes back as it was saved`() throws {
        #expect(try directory.state() == nil)
        var state = UpState(cluster: "c", nodePorts: [1, 2], gatewayPorts: [3], supervisor: 42)
        state.processes = [UpState.Process(name: "node-1", pid: 43)]
        try directory.save(state)
        #expect(try directory.state() == state)
    }

    @Test func `a file of another kind is refused`() throws {
        _ = try Files.create(directory.statePath, with: Array("{}".utf8), mode: 0o644)
        #expect {
            try directory.state()
        } throws: {
            "\($0)".contains("not what `stormo up` writes")
        }
    }

    @Test func `a state of another format is refused`() throws {
        try directory.save(UpState(format: 99, cluster: "c", nodePorts: [], gatewayPorts: []))
        #expect {
            try directory.state()
        } throws: {
            "\($0)".contains("has format 99, this version knows 1")
        }
    }

    @Test func `a lock is one holder's`() throws {
        // Locks of one process through two descriptors exclude each other as those of two processes do.
        #expect(try Files.lock("\(directory.path)/up.lock"))
        #expect(try !Files.lock("\(directory.path)/up.lock"))
    }

    @Test func `a file is made once and can be kept from others`() throws {
        #expect(try Files.create(directory.secretPath, with: [1], mode: 0o600))
        #expect(try !Files.create(directory.secretPath, with: [2], mode: 0o600))
        #expect(try Files.read(directory.secretPath, bytesMax: 10) == [1])
        #expect(!Files.isReadableByOthers(directory.secretPath))
        #expect(try Files.create(directory.statePath, with: [1], mode: 0o644))
        #expect(Files.isReadableByOthers(directory.statePath))
    }

    @Test func `a file longer than the bound is refused`() throws {
        _ = try Files.create(directory.secretPath, with: [UInt8](repeating: 1, count: 11), mode: 0o600)
        #expect {
            try Files.read(directory.secretPath, bytesMax: 10)
        } throws: {
            "\($0)".contains("longer than 10 bytes")
        }
    }

    @Test func `the last log is kept beside the new one`() throws {
        _ = try Files.create(directory.logPath("node-1"), with: [1], mode: 0o644)
        directory.rotateLog("node-1")
        #expect(!Files.exists(directory.logPath("node-1")))
        #expect(try Files.read(directory.logPath("node-1") + ".1", bytesMax: 10) == [1])
    }
}
