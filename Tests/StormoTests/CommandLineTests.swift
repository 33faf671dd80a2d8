import ArgumentParser
import Testing

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
        ["bench", "kv", "fly"],
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

    @Test func `errors have one line and the right code`() {
        #expect(CommandExit.code(of: ConfigurationError.refused("no")) == 78)
        #expect(CommandExit.code(of: FileError(path: "/x", reason: "gone")) == 1)
        struct Chatty: Error, CustomStringConvertible {
            let description = "first\n  second\n"
        }
        #expect(CommandExit.line(of: Chatty()) == "first; second")
    }
}
