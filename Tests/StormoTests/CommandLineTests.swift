import ArgumentParser
import StormoClient
import Testing
import Wire

@testable import Stormo

@Suite struct CommandLineTests {
    private func command<Command: ParsableCommand>(_ arguments: [String], as type: Command.Type) throws -> Command {
        try #require(try StormoCommand.parseAsRoot(arguments) as? Command)
    }

    @Test func `flags are read by their definitions`() throws {
        let node = try command(
            ["node", "--name", "n1", "--bootstrap-expect", "5", "--seeds", "a:1,b:2"], as: NodeCommand.self)
        #expect(node.flags.given == ["node.name": "n1", "node.bootstrap-expect": "5", "seeds": "a:1,b:2"])
    }

    @Test func `a flag that does not exist is a usage error`() {
        #expect {
            try StormoCommand.parseAsRoot(["node", "--lisen", "a:1"])
        } throws: { error in
            StormoCommand.exitCode(for: error).rawValue == CommandExit.usage
                && StormoCommand.message(for: error).contains("--listen")
        }
    }

    @Test(arguments: [
        ["nod"], ["up", "extra"], ["node", "--name"], ["agent", "no-such-agent"], ["kv", "get"],
        ["bench", "kv", "fly"], ["ring", "add"], ["ring", "replace", "n1"], ["ring", "set-replicas", "many"],
        ["ring", "fly"], ["member", "forget"], ["repair", "extra"], ["kv", "watch", "a", "b"],
    ])
    func `wrong arguments are usage errors`(_ arguments: [String]) {
        #expect {
            var command = try StormoCommand.parseAsRoot(arguments)
            try command.run()
        } throws: { StormoCommand.exitCode(for: $0).rawValue == CommandExit.usage }
    }

    @Test func `help tells every flag, its default and its range`() {
        let help = StormoCommand.helpMessage(for: NodeCommand.self, columns: 200)
        for definition in NodeCommand.Scope.definitions where definition.channels.contains(.flag) {
            #expect(help.contains(definition.flag), "\(definition.key)")
        }
        #expect(help.contains("1 to 1024 tokens; default 64"))
        #expect(!help.contains("--secret "))
    }

    @Test(arguments: [
        ["ring", "set-replicas", "0"], ["ring", "set-replicas", "65"], ["ring", "add", ""],
        ["ring", "add", "n4", "--dry-run", "--wait"], ["ring", "remove", String(repeating: "x", count: 256)],
        ["kv", "watch", "a", "--limit", "0"], ["kv", "watch", "a", "--from", "here"],
        ["kv", "watch", String(repeating: "x", count: 513)],
    ])
    func `arguments that make no sense are usage errors before anything is asked`(_ arguments: [String]) async throws {
        var command = try #require(try StormoCommand.parseAsRoot(arguments) as? any AsyncParsableCommand)
        do {
            try await command.run()
            Issue.record("it ran")
        } catch { #expect(StormoCommand.exitCode(for: error).rawValue == CommandExit.usage, "\(error)") }
    }

    @Test func `changes of the ring are read`() throws {
        let add = try command(["ring", "add", "n4", "--dry-run", "--seeds", "a:1"], as: RingCommand.Add.self)
        #expect(add.node == "n4" && add.options.dryRun && !add.options.wait)
        #expect(add.options.flags.given == ["seeds": "a:1"])
        let replace = try command(["ring", "replace", "n1", "n4", "--wait"], as: RingCommand.Replace.self)
        #expect(replace.node == "n1" && replace.replacement == "n4" && replace.options.wait)
        _ = try command(["ring"], as: RingCommand.Show.self)
        _ = try command(["member"], as: MemberCommand.List.self)
    }

    @Test func `an unknown outcome has a code and words of its own`() {
        let unknown = ClientError.outcomeUnknown("no quorum answered within 2000 ms")
        #expect(CommandExit.code(of: unknown) == 3)
        #expect(
            CommandExit.line(of: unknown)
                == "outcome unknown: no quorum answered within 2000 ms; it may have been done, now or later, or never: look before you repeat it"
        )
        #expect(CommandExit.code(of: ClientError.noQuorum("1 of 3")) == 1)
        #expect(CommandExit.line(of: ClientError.noQuorum("1 of 3")) == "no quorum: 1 of 3")
    }

    @Test func `an event of a watch is one line`() throws {
        let version = Ballot(time: HybridTime(1), node: NodeID(2))
        let position = WatchPosition(time: HybridTime(5), after: Array("a/b".utf8), node: NodeID(2))
        let value = VersionedValue(
            Cell(version: version, base: nil, content: .value(Array("v".utf8)), expiryMs: 1_769_847_330_250))
        let put = WatchEvent(change: .put(Key("a/b"), try #require(value)), position: position)
        let printed = try #require(KeyCommand.Watch.PrintedEvent(put))
        #expect(printed.line == "put\ta/b\tv")
        #expect(
            String(decoding: JSONText.line(printed), as: UTF8.self)
                == #"{"event":"put","expires_at":"2026-01-31T08:15:30.250Z","key":"a/b","position":"00000000000000050000000000000002.612f62","value":"v","version":"00000000000000010000000000000002"}"#
                + "\n")
        let delete = WatchEvent(change: .delete(Key("a"), version: version), position: nil)
        #expect(KeyCommand.Watch.PrintedEvent(delete)?.line == "delete\ta")
        #expect(KeyCommand.Watch.PrintedEvent(WatchEvent(change: .reset, position: nil))?.line == "reset")
        #expect(KeyCommand.Watch.PrintedEvent(WatchEvent(change: .nothing, position: position)) == nil)
    }

    @Test func `errors have one line and the right code`() {
        #expect(CommandExit.code(of: ConfigurationError.refused("no")) == 78)
        #expect(CommandExit.code(of: FileError(path: "/x", reason: "gone")) == 1)
        struct Chatty: Error, CustomStringConvertible {
            let description = "first\n  second\n"
        }
        #expect(CommandExit.line(of: Chatty()) == "first; second")
    }
}
