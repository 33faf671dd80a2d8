package import Wire

/// A ballot that counts as promised for every key. It is set when promises were lost: at the ballot ceiling, which was
/// durable before any promise near it was, so it stands above all that were ever given. It only ever rises.
struct PromiseFloor {
    /// The floor; zero for a node that has never lost anything.
    private(set) var ballot: Ballot
    /// The journal's entry of it: nothing is answered by it before that is durable.
    private(set) var appliedAt = JournalSequence.start

    init(recovered bytes: [UInt8]?) {
        ballot =
            bytes.flatMap { bytes in
                bytes.withUnsafeBytes { bytes in
                    var reader = ByteReader(bytes)
                    guard let time: UInt64 = try? reader.integer("promise floor time"),
                        let node: UInt64 = try? reader.integer("promise floor node")
                    else { return nil }
                    return Ballot(time: HybridTime(time), node: NodeID(node))
                }
            } ?? .zero
    }

    /// A register's state with the floor under its promise.
    func applied(to state: RegisterState) -> RegisterState {
        RegisterState(promised: max(state.promised, ballot), accepted: state.accepted)
    }

    mutating func raise(to ballot: Ballot, at sequence: JournalSequence) {
        self.ballot = ballot
        appliedAt = sequence
    }

    var encoded: [UInt8] {
        var writer = ByteWriter(capacity: 16)
        writer.integer(ballot.time.rawValue)
        writer.integer(ballot.node.rawValue)
        return writer.bytes
    }
}

extension Ballot {
    /// A floor is nobody's ballot.
    fileprivate static func floor(_ time: HybridTime) -> Ballot { Ballot(time: time, node: NodeID(.max)) }

    /// The ballot as far as a node has made it; zero for a floor. A floor stands as far ahead as ballot ceilings do, where no
    /// clock is yet: a clock that took it over would be ahead of all others, and end leases before their holders give them
    /// up. Who is refused by a floor waits until it has passed, or does without that replica.
    package var witnessed: Ballot { node == NodeID(.max) ? .zero : self }
}

extension Node {
    /// The acceptor's state of a key, which every answer as a replica starts from.
    func acceptorState(_ key: Key) throws(StoreError) -> RegisterState {
        do throws(StoreError) { return promiseFloor.applied(to: try store.register(key)) } catch {
            if Mutation.amnesiaVotes.isOn, case .corrupt = error { return .empty }
            throw error
        }
    }

    /// Puts the floor above every promise that this node has given so far.
    mutating func raisePromiseFloor() {
        let ceiling = BallotCeiling(recovered: store.fact(.ballotCeiling)).floor
        let ballot = Ballot.floor(ceiling)
        guard ballot > promiseFloor.ballot else { return }
        promiseFloor.raise(to: ballot, at: .start)
        promiseFloor.raise(to: ballot, at: store.apply(.fact(.promiseFloor, promiseFloor.encoded)))
    }
}
