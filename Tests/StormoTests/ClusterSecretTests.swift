import FoundationEssentials
import Testing
import WireTransport

@testable import Stormo

@Suite struct ClusterSecretTests {
    private func settings(_ environment: [String: String]) throws -> ResolvedSettings {
        try ResolvedSettings(
            CommonSettings.process, catalogue: SettingCatalogue.all, flags: [:], environment: environment, file: .none)
    }

    private func withFile<Result>(_ text: String, _ body: (String) throws -> Result) throws -> Result {
        let path = "\(FileManager.default.temporaryDirectory.path)/stormo-secret-\(UInt64.random(in: 0 ... .max))"
        #expect(try Files.create(path, with: Array(text.utf8), mode: 0o600))
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try body(path)
    }

    @Test func `a file wins over the variable, and its line end does not count`() throws {
        try withFile("0123456789abcdef\n") { (path: String) throws in
            let environment = ["STORMO_SECRET_FILE": path, "STORMO_SECRET": "another secret altogether"]
            let secret = try ClusterSecret.load(settings(environment))
            #expect(secret == Array("0123456789abcdef".utf8))
        }
        #expect(
            try ClusterSecret.load(settings(["STORMO_SECRET": "another secret altogether"]))
                == Array("another secret altogether".utf8))
        #expect(try ClusterSecret.load(settings([:])) == nil)
    }

    @Test func `a short secret is refused without being shown`() throws {
        #expect {
            try ClusterSecret.load(settings(["STORMO_SECRET": "hush"]))
        } throws: { "\($0)".contains("has 4 bytes: expected 16 to 1024") && !"\($0)".contains("hush") }
    }

    @Test func `a missing file is told by its name`() throws {
        #expect {
            try ClusterSecret.load(settings(["STORMO_SECRET_FILE": "/nonexistent/secret"]))
        } throws: { "\($0)" == "secret file /nonexistent/secret: No such file or directory" }
    }

    @Test(arguments: ["0.0.0.0:7400", "192.168.1.2:7400", "[::]:7400", "node-1.example:7400", "127.0.0.1.example:7400"])
    func `listening beyond this machine needs a secret`(_ text: String) throws {
        let address = try #require(HostPort(given: text))
        #expect { try ClusterSecret.require(nil, toListenOn: address) } throws: {
            "\($0)".contains("needs a cluster secret")
        }
        #expect(throws: Never.self) { try ClusterSecret.require([1], toListenOn: address) }
    }

    @Test(arguments: ["127.0.0.1:7400", "127.8.9.10:1", "[::1]:7400", "localhost:7400"])
    func `this machine may talk to itself without one`(_ text: String) throws {
        let address = try #require(HostPort(given: text))
        #expect(throws: Never.self) { try ClusterSecret.require(nil, toListenOn: address) }
    }
}
