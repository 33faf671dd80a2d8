package import Wire

/// The rules by which a replica answers for one key: single-decree Paxos as CASPaxos uses it (Rystsov 2018), with the
/// promise for a next ballot piggybacked on an accept.
package enum Acceptor {
    /// A new state to persist (nil when nothing changed), and the reply that may leave once the state is durable.
    package struct Decision: Hashable, Sendable {
        /// What must be durable before the reply leaves, when it differs from what was there.
        package var state: RegisterState?
        /// The reply.
        package var reply: Message
    }

    /// Phase 1.
    package static func prepare(_ state: RegisterState, ballot: Ballot) -> Decision {
        // An equal ballot is refused as well: it is a duplicate whose first copy was answered, and the answer to a
        // second one could be taken for another replica's.
        guard ballot > state.promised else { return refusal(state) }
        let next = RegisterState(promised: ballot, accepted: state.accepted)
        return Decision(state: next, reply: .promise(ReplicaState(accepted: state.accepted, promised: ballot)))
    }

    /// Phase 2.
    package static func accept(_ state: RegisterState, _ accept: Accept) -> Decision {
        if let accepted = state.accepted, accepted.ballot == accept.ballot {
            // A duplicate. It is a yes, but no promise for the next ballot: that one may have been used meanwhile.
            return Decision(state: nil, reply: .accepted(AcceptedReply(nextPromised: Mutation.duplicatePromises.isOn)))
        }
        guard accept.ballot >= state.promised || Mutation.acceptIgnoresPromise.isOn else { return refusal(state) }
        let next = accept.next.map { max($0, accept.ballot) }
        let state = RegisterState(
            promised: next ?? accept.ballot, accepted: AcceptedCell(ballot: accept.ballot, cell: accept.cell))
        return Decision(state: state, reply: .accepted(AcceptedReply(nextPromised: next != nil)))
    }

    private static func refusal(_ state: RegisterState) -> Decision {
        Decision(
            state: nil,
            reply: .refused(RefusedReply(promised: state.promised, acceptedBallot: state.accepted?.ballot ?? .zero)))
    }
}
