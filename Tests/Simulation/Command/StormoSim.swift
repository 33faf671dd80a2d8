import ArgumentParser
@preconcurrency import Glibc

/// `stormo-sim`: looks for histories in which the core breaks its promises.
@main struct StormoSim: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stormo-sim",
        abstract: "Runs whole clusters of the core under faults, on virtual time, and checks what clients were told.",
        subcommands: [RunCommand.self, MutantsCommand.self, MembershipCommand.self])

    static func main() async {
        // Lines show as they come, also in a file.
        setvbuf(stdout, nil, _IOLBF, 0)
        await main(nil)
    }
}
