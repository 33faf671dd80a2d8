import Testing
import Wire

@Suite struct HashingVectorTests {
    @Test func digestsAreThoseOfTheLibrary() throws {
        struct Vector: Decodable {
            let input: String
            let seed: UInt64
            let digest: String
        }
        let vectors: [Vector] = try Specification.vectors("xxh64.json")
        #expect(vectors.count >= 64)
        for vector in vectors {
            let found = XXH64.hash(bytes(vector.input), seed: vector.seed)
            #expect(Hex.fixed(found) == vector.digest, "\(vector.input.count / 2) bytes, seed \(vector.seed)")
        }
    }

    @Test func blocksRestoreAndOursRestoreToo() throws {
        struct Vector: Decodable {
            let block: String
            let rawCount: Int
            let raw: String
        }
        let vectors: [Vector] = try Specification.vectors("lz4.json")
        #expect(!vectors.isEmpty)
        for vector in vectors {
            let raw = bytes(vector.raw)
            let restored = try bytes(vector.block).withUnsafeBytes {
                try LZ4Block.decompress($0, rawCount: vector.rawCount)
            }
            #expect(restored == raw)
            if let packed = raw.withUnsafeBytes({ LZ4Block.compress($0) }) {
                #expect(packed.count < raw.count)
                #expect(try packed.withUnsafeBytes { try LZ4Block.decompress($0, rawCount: raw.count) } == raw)
            }
        }
    }

    @Test func ringsAgree() throws {
        struct Vector: Decodable {
            struct RingValue: Decodable {
                struct Member: Decodable {
                    let id: UInt64
                    let name: String
                    let address: String
                    let zone: String
                    let virtualNodes: UInt16
                }
                let replicationFactor: Int
                let members: [Member]
            }
            struct Case: Decodable {
                let token: String
                let nodes: [UInt64]
            }
            let name: String
            let ring: RingValue
            let tokens: [[String]]
            let replicas: [Case]
        }
        let vectors: [Vector] = try Specification.vectors("rings.json")
        #expect(vectors.count >= 6)
        for vector in vectors {
            let members = vector.ring.members.map {
                RingMember(
                    id: NodeID($0.id), name: $0.name, address: $0.address, zone: $0.zone, virtualNodes: $0.virtualNodes
                )
            }
            #expect(members.map { $0.tokens.prefix(4).map(Hex.fixed) } == vector.tokens, "\(vector.name)")
            let ring = Ring(
                clusterID: Samples.cluster, epoch: Epoch(1), replicationFactor: vector.ring.replicationFactor,
                members: members)
            for replicas in vector.replicas {
                let token = try #require(Hex.number(replicas.token[...]))
                #expect(ring.replicas(of: token).map(\.rawValue) == replicas.nodes, "\(vector.name), \(replicas.token)")
            }
        }
    }

    @Test func partitionsAgree() throws {
        struct Vector: Decodable {
            let key: String
            let partitions: UInt64
            let partition: UInt64
        }
        let vectors: [Vector] = try Specification.vectors("partitions.json")
        #expect(vectors.count >= 16)
        for vector in vectors { #expect(XXH64.hash(bytes(vector.key)) % vector.partitions == vector.partition) }
    }
}
