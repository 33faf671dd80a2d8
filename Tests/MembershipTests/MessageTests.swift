import Membership
import Testing
import Wire

@Suite struct MessageTests {
    private static let contents: [MembershipMessage.Content] = [
        .ping(sequence: 1, target: NodeID(2)), .ack(sequence: .max, subject: NodeID(.max)),
        .pingRequest(sequence: 7, target: NodeID(3), address: "n3:7000"), .nack(sequence: 0), .gossip,
        .pull(sequence: 9),
        .state(sequence: 9, wantsAnswer: true), .state(sequence: 0, wantsAnswer: false), .forget([]),
        .forget([
            ForgottenMember(id: NodeID(4), incarnation: MembershipUpdate.incarnationMax, ageMs: .max),
            ForgottenMember(id: NodeID(5), incarnation: 0, ageMs: 0),
        ]),
    ]

    private static func message(_ content: MembershipMessage.Content) -> MembershipMessage {
        let updates = MemberState.allCases.enumerated().map { index, state in
            MembershipUpdate(
                state: state, identity: VirtualNetwork.identity(index + 2, incarnation: 5, name: "città-\(index)"),
                source: NodeID(1))
        }
        return MembershipMessage(sender: VirtualNetwork.identity(1), content: content, updates: updates)
    }

    @Test(arguments: contents) func everyMessageComesBack(content: MembershipMessage.Content) throws {
        let message = Self.message(content)
        #expect(try MembershipMessage(message.encoded()) == message)
        let bare = MembershipMessage(sender: message.sender, content: content, updates: [])
        #expect(try MembershipMessage(bare.encoded()) == bare)
    }

    @Test(arguments: contents) func everyTruncationThrows(content: MembershipMessage.Content) {
        let bytes = Self.message(content).encoded()
        for count in 0..<bytes.count {
            #expect(throws: WireError.self) { try MembershipMessage(Array(bytes.prefix(count))) }
        }
        #expect(throws: WireError.trailing(message: "membership message", count: 1)) {
            try MembershipMessage(bytes + [0])
        }
    }

    @Test func liesAreRefused() {
        let bytes = Self.message(.gossip).encoded()
        func with(_ at: Int, _ value: [UInt8]) -> [UInt8] {
            var copy = bytes
            copy.replaceSubrange(at..<at + value.count, with: value)
            return copy
        }
        #expect(throws: WireError.invalid(field: "membership version", found: "2", expected: "1")) {
            try MembershipMessage(with(0, [2]))
        }
        #expect(throws: WireError.invalid(field: "membership kind", found: "9", expected: "1 to 8")) {
            try MembershipMessage(with(1, [9]))
        }
        // Version, kind, role, id, name "n1", incarnation, address "n1:7000", no zone: the count follows.
        let countAt = 2 + 1 + 8 + 4 + 8 + 9 + 2
        #expect(throws: WireError.overLimit(field: "updates", found: 65_537, max: 65_536)) {
            try MembershipMessage(with(countAt, [1, 0, 1, 0]))
        }
        #expect(
            throws: WireError.truncated(field: "updates", needed: 65_536 * 32, available: bytes.count - countAt - 4)
        ) {
            try MembershipMessage(with(countAt, [0, 0, 1, 0]))
        }
    }

    @Test func nothingThatArrivesCrashesOrConfuses() {
        var random = SplitMix64(seed: 99)
        let network = VirtualNetwork(seed: 99)
        network.addCluster(4)
        network.run(forMs: 2_000)
        let samples = Self.contents.map { Self.message($0).encoded() }
        var refused: UInt64 = 0
        for round in 0..<4_000 {
            var bytes: [UInt8]
            if round % 3 == 0 {
                bytes = (0..<Int.random(in: 0...200, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
            } else {
                bytes = samples[Int.random(in: 0..<samples.count, using: &random)]
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                if round % 3 == 1 { bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random)) }
            }
            let before = network.nodes[0].swim.members
            if (try? MembershipMessage(bytes)) == nil {
                refused += 1
                let errors = network.nodes[0].swim.statistics.decodeErrors
                network.give(.received(from: nil, bytes: bytes), to: 0)
                let after = network.nodes[0].swim
                #expect(after.statistics.decodeErrors == errors + 1 && after.members == before)
            } else {
                network.give(.received(from: nil, bytes: bytes), to: 1)
            }
        }
        #expect(refused > 1_000)
        network.run(forMs: 1_000)
        #expect(network.nodes[1].swim.members.count <= MembershipConfiguration().membersMax)
    }
}
