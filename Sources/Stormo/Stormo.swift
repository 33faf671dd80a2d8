import ArgumentParser
import StormoClient

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// The command `stormo`.
@main
struct StormoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stormo",
        abstract: "Keys and topics on a few machines of your own.",
        discussion: """
            Settings are taken from flags, then from the environment (STORMO_…), then from the file given by --config, \
            then from their defaults. docs/configuration.md lists all of them.

            Exit codes: 0 done, 1 failed, 3 outcome unknown (it may have been done, or not: look before you repeat it), \
            64 wrong arguments, 78 wrong configuration, 130 interrupted.
            """,
        version: Version.text,
        subcommands: [
            UpCommand.self, NodeCommand.self, GatewayCommand.self, AgentCommand.self, StatusCommand.self,
            KeyCommand.self, TopicCommand.self, GroupCommand.self, RingCommand.self, MemberCommand.self,
            RepairCommand.self,
            BenchCommand.self, ReferenceCommand.self,
        ])

    /// Runs the command and ends the process: whatever goes wrong is one line on standard error and an exit code.
    static func main() async {
        // A reader that went away is an error of the write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        DescriptorLimit.raise()
        Lifeline.followIfAsked()
        if let index = CommandArguments.firstThatIsNoText() {
            Console.error("stormo: argument \(index) is not UTF-8: keys and names on the command line are text")
            exit(withError: ExitCode(CommandExit.usage))
        }
        var command: any ParsableCommand
        do { command = try parseAsRoot() } catch { exit(withError: error) }
        do {
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            if let interrupted = error as? ClientSession.Interrupted { exit(withError: ExitCode(interrupted.code)) }
            // Help, versions and wrong arguments are ArgumentParser's to tell.
            let code = exitCode(for: error)
            if error is ExitCode || code == .success || code == .validationFailure { exit(withError: error) }
            Console.error("stormo: \(CommandExit.line(of: error))")
            Self.exit(withError: ExitCode(CommandExit.code(of: error)))
        }
    }
}

/// The arguments as the system has handed them over: bytes.
enum CommandArguments {
    /// The number of the first one that is not UTF-8; nil when all are. Swift would read it with replacement characters in
    /// place of its bytes, which is another key.
    static func firstThatIsNoText() -> Int? {
        (1..<max(1, Int(CommandLine.argc))).first { index in
            CommandLine.unsafeArgv[index].map { String(validatingCString: $0) == nil } ?? false
        }
    }
}

/// What a failed command says and with which code it ends.
enum CommandExit {
    /// The command failed.
    static let failure: Int32 = 1
    /// Nobody can tell whether it was done.
    static let unknown: Int32 = 3
    /// The arguments are wrong (EX_USAGE of sysexits.h).
    static let usage: Int32 = 64
    /// The configuration is wrong (EX_CONFIG of sysexits.h).
    static let configuration: Int32 = 78

    /// The exit code of an error.
    static func code(of error: any Error) -> Int32 {
        if case .outcomeUnknown? = error as? ClientError { return unknown }
        return error is ConfigurationError ? configuration : failure
    }

    /// An error as one line.
    static func line(of error: any Error) -> String {
        var text = "\(error)"
        if code(of: error) == unknown {
            text += "\nit may have been done, now or later, or never: look before you repeat it"
        }
        return text.split(whereSeparator: \.isNewline).map { Text.trimmed($0) }.filter { !$0.isEmpty }.joined(
            separator: "; ")
    }
}

/// The version of this program.
enum Version {
    /// As in CHANGELOG.md.
    static let text = "0.1.0"
}
