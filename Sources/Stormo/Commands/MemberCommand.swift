import ArgumentParser
import StormoClient
import Wire

/// `stormo member`: who is in the cluster, with or without data.
struct MemberCommand: AsyncParsableCommand {
    enum Scope: SettingScope {
        static let definitions = ClientSession.definitions
    }

    static let configuration = CommandConfiguration(
        commandName: "member", abstract: "Show and forget members of the cluster.",
        subcommands: [List.self, Forget.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List nodes, gateways and agents, living and dead.",
            discussion: "RING tells which nodes hold keys: others wait to be added, or were removed.")

        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run() async throws {
            let session = try ClientSession(CommandContext(flags), name: "member")
            let report = try await session.run { client in
                guard let cluster = client.cluster else {
                    throw ClientError.unreachable("no node has told its cluster yet")
                }
                return MemberReport(cluster)
            }
            format.tell(report, lines: report.lines)
        }
    }

    struct Forget: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Strike a member that is dead or has left from the list.",
            discussion: "A node of the ring is removed or replaced first. One that comes back is a member again.")

        @Argument(help: "Its name, id or address.") var node: String
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run() async throws {
            let node = node
            let session = try ClientSession(CommandContext(flags), name: "member")
            try await session.run { try await $0.forgetMember(node) }
            format.tell(["forgotten": node], lines: ["\(node) is forgotten"])
        }
    }
}

/// What `stormo member list` tells.
struct MemberReport: Encodable, Sendable, Hashable {
    /// A member.
    struct Member: Encodable, Sendable, Hashable {
        /// Its name.
        var name: String
        /// `node`, `gateway`, `agent` or `tool`.
        var role: String
        /// `alive`, `suspect`, `dead` or `left`.
        var state: String
        /// Whether it is a node that holds keys.
        var isInRing: Bool
        /// Where it is reached; empty when it does not listen.
        var address: String
        /// Its failure domain.
        var zone: String
        /// Its id.
        var id: String
    }

    /// By role and name.
    var members: [Member]

    /// Puts a report together.
    init(_ cluster: ClusterState) {
        members = cluster.members.sorted {
            ($0.identity.role.rawValue, $0.identity.name, $0.identity.id)
                < ($1.identity.role.rawValue, $1.identity.name, $1.identity.id)
        }.map { member in
            Member(
                name: member.identity.name, role: "\(member.identity.role)", state: "\(member.state)",
                isInRing: cluster.ring?.member(member.identity.id) != nil, address: member.identity.address,
                zone: member.identity.zone, id: "\(member.identity.id)")
        }
    }

    /// The report for people.
    var lines: [String] {
        var table = TextTable([
            .init("NAME"), .init("ROLE"), .init("STATE"), .init("RING"), .init("ZONE"), .init("ADDRESS"), .init("ID"),
        ])
        for member in members {
            let ring = member.role == "node" ? member.isInRing ? "yes" : "no" : ""
            table.add([member.name, member.role, member.state, ring, member.zone, member.address, member.id])
        }
        return table.lines
    }
}
