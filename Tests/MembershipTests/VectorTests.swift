import FoundationEssentials
import Membership
import Testing
import Wire

/// The membership messages of `proto-spec/vectors`.
@Suite struct VectorTests {
    private struct File: Decodable {
        struct Vector: Decodable {
            let name: String
            let hex: String
        }
        let vectors: [Vector]
    }

    private static let node = PeerIdentity(
        role: .node, id: NodeID(0x1111_1111_1111_1111), name: "n1", incarnation: 1_767_225_600_000,
        address: "10.0.0.1:7000",
        zone: "a")

    private static func like(_ id: UInt64, _ name: String, change: (inout PeerIdentity) -> Void = { _ in })
        -> PeerIdentity
    {
        var identity = node
        identity.id = NodeID(id)
        identity.name = name
        change(&identity)
        return identity
    }

    private static let expected: [(name: String, message: MembershipMessage)] = {
        let two = NodeID(0x2222_2222_2222_2222)
        let three: UInt64 = 0x3333_3333_3333_3333
        let four: UInt64 = 0x4444_4444_4444_4444
        func message(_ content: MembershipMessage.Content, _ updates: [MembershipUpdate] = []) -> MembershipMessage {
            MembershipMessage(sender: node, content: content, updates: updates)
        }
        let suspect = like(three, "n3") {
            $0.address = "10.0.0.3:7000"
            $0.zone = ""
        }
        let gateway = like(four, "gateway-1") {
            $0.role = .gateway
            $0.incarnation = MembershipUpdate.incarnationMax
        }
        return [
            ("ping", message(.ping(sequence: 1, target: two))),
            (
                "ack",
                message(
                    .ack(sequence: .max, subject: node.id),
                    [MembershipUpdate(state: .suspect, identity: suspect, source: node.id)])
            ),
            ("pingRequest", message(.pingRequest(sequence: 7, target: NodeID(three), address: "10.0.0.3:7000"))),
            ("nack", message(.nack(sequence: 7))),
            (
                "gossip",
                message(
                    .gossip,
                    [
                        MembershipUpdate(state: .dead, identity: like(three, "n3") { $0.incarnation = 5 }, source: two),
                        MembershipUpdate(state: .left, identity: gateway, source: NodeID(four)),
                    ])
            ),
            ("pull", message(.pull(sequence: 8))),
            (
                "state",
                message(
                    .state(sequence: 8, wantsAnswer: true),
                    [MembershipUpdate(state: .alive, identity: node, source: node.id)])
            ),
            (
                "forget",
                message(
                    .forget([
                        ForgottenMember(id: NodeID(three), incarnation: 5, ageMs: 0),
                        ForgottenMember(
                            id: NodeID(four), incarnation: MembershipUpdate.incarnationMax, ageMs: 86_400_000),
                    ]))
            ),
        ]
    }()

    @Test func everyVectorHoldsBothWays() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let data = try Data(contentsOf: URL(filePath: "/" + root + "/proto-spec/vectors/membership.json"))
        let vectors = try JSONDecoder().decode(File.self, from: data).vectors
        #expect(vectors.map(\.name) == Self.expected.map(\.name))
        for (vector, expected) in zip(vectors, Self.expected) {
            let digits = Array(vector.hex)
            let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
                UInt8(String(digits[$0...$0 + 1]), radix: 16)
            }
            #expect(expected.message.encoded() == bytes, "\(vector.name)")
            #expect(try MembershipMessage(bytes) == expected.message, "\(vector.name)")
        }
    }
}
