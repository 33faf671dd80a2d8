package import Wire

/// Counters of the membership, each growing from 0.
package struct MembershipStatistics: Hashable, Sendable {
    /// Probes begun.
    package var probes: UInt64 = 0
    /// Probes that nobody's answer ended.
    package var probesFailed: UInt64 = 0
    /// Members that this node suspected by its own probes.
    package var suspicions: UInt64 = 0
    /// Members that this node declared dead.
    package var deaths: UInt64 = 0
    /// Times this node raised its incarnation to refute.
    package var refutations: UInt64 = 0
    /// Messages sent.
    package var sent: UInt64 = 0
    /// Messages received and read.
    package var received: UInt64 = 0
    /// Messages that could not be read.
    package var decodeErrors: UInt64 = 0
    /// What was wrong with the last of them.
    package var lastDecodeError: WireError?
    /// Messages whose sender is not who the connection's handshake said, or cannot be a member.
    package var sendersRefused: UInt64 = 0
    /// New members passed over because the table is full (`membersMax`).
    package var membersRefused: UInt64 = 0
    /// Times that a member was alive again after it had been suspect or dead: the sum of all members' flaps.
    package var flaps: UInt64 = 0
    /// Dead or departed members dropped because of `goneMembersMax`, or for a living one.
    package var goneDropped: UInt64 = 0
    /// Members removed because an operator has said so, here or elsewhere.
    package var forgotten: UInt64 = 0
    /// Operators' words refused: the member lives or is not known.
    package var forgetsRefused: UInt64 = 0
    /// Operators' words dropped before their time because of `forgottenMax`.
    package var forgottenDropped: UInt64 = 0
    /// Requests to probe for others passed over because of `relaysMax`.
    package var relaysRefused: UInt64 = 0
    /// Probes passed over because of `probesMax`.
    package var probesRefused: UInt64 = 0
    /// Seeds and known peers passed over because of `seedsMax`.
    package var seedsRefused: UInt64 = 0
    /// Twins reported.
    package var conflicts: UInt64 = 0
    /// Times this node found that it had been paused.
    package var pauses: UInt64 = 0

    /// All counters by the names under which a node tells its figures.
    package var items: [NodeStatistics.Item] {
        [
            .init(name: "membership_probes_total", value: probes),
            .init(name: "membership_probes_failed_total", value: probesFailed),
            .init(name: "membership_suspicions_total", value: suspicions),
            .init(name: "membership_deaths_total", value: deaths),
            .init(name: "membership_refutations_total", value: refutations),
            .init(name: "membership_flaps_total", value: flaps),
            .init(name: "membership_sent_total", value: sent),
            .init(name: "membership_received_total", value: received),
            .init(name: "membership_decode_errors_total", value: decodeErrors),
            .init(name: "membership_senders_refused_total", value: sendersRefused),
            .init(name: "membership_members_refused_total", value: membersRefused),
            .init(name: "membership_gone_dropped_total", value: goneDropped),
            .init(name: "membership_forgotten_total", value: forgotten),
            .init(name: "membership_forgets_refused_total", value: forgetsRefused),
            .init(name: "membership_forgotten_dropped_total", value: forgottenDropped),
            .init(name: "membership_relays_refused_total", value: relaysRefused),
            .init(name: "membership_probes_refused_total", value: probesRefused),
            .init(name: "membership_seeds_refused_total", value: seedsRefused),
            .init(name: "membership_conflicts_total", value: conflicts),
            .init(name: "membership_pauses_total", value: pauses),
        ]
    }
}
