import ArgumentParser
import StormoClient
import Wire

/// `stormo member`: who takes part in the cluster.
struct MemberCommand: AsyncParsableCommand {
    enum Scope: SettingScope {
        static let definitions = ClientSession.definitions
    }

    static let configuration = CommandConfiguration(
        commandName: "member", abstract: "Show the members of the cluster; forget one that is gone for good.",
        subcommands: [List.self, Forget.self], defaultSubcommand: List.self)

    /// A member as it is printed by `-o json`.
    struct Printed: Encodable, Sendable {
        var name: String
        var id: String
        var role: String
        var address: String
        var zone: String
        var state: String
        var inRing: Bool
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show all members as a node sees them.")

        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run() async throws {
            let session = try ClientSession(CommandContext(flags), name: "member")
            let members = try await session.run { client in
                guard let cluster = client.cluster else {
                    throw ClientError.unreachable("no node has told its cluster yet")
                }
                return cluster.members.map { member in
                    Printed(
                        name: member.identity.name, id: "\(member.identity.id)", role: "\(member.identity.role)",
                        address: member.identity.address, zone: member.identity.zone, state: "\(member.state)",
                        inRing: cluster.ring?.member(member.identity.id) != nil)
                }.sorted { ($0.role, $0.name) < ($1.role, $1.name) }
            }
            switch format.output {
            case .json: Console.bytes(JSONText.bytes(members))
            case .table:
                var table = TextTable([
                    .init("NAME"), .init("ROLE"), .init("STATE"), .init("RING"), .init("ADDRESS"), .init("ZONE"),
                    .init("ID"),
                ])
                for member in members {
                    table.add([
                        member.name, member.role, member.state, member.inRing ? "yes" : "", member.address, member.zone,
                        member.id,
                    ])
                }
                for line in table.lines { Console.line(line) }
            }
        }
    }

    struct Forget: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the cluster forget a member that is dead or has left.",
            discussion: "A node of the ring is removed or replaced first: see `stormo ring`.")

        @Argument(help: "The member: name, id or host:port.") var member: String
        @OptionGroup var flags: SettingFlags<Scope>

        func run() async throws {
            let session = try ClientSession(CommandContext(flags), name: "member")
            let member = member
            try await session.run { try await $0.forgetMember(member) }
            Console.line("forgotten: \(member)")
        }
    }
}
