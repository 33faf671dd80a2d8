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
            struct Layout: Decodable {
                struct Member: Decodable {
                    let id: UInt64
                    let name: String
                    let address: String
                    let zone: String
                    let virtualNodes: UInt16
                }
                let replicationFactor: Int
                let members: [Member]

                var layout: RingLayout {
                    RingLayout(
                        replicationFactor: replicationFactor,
                        members: members.map {
                            RingMember(
                                id: NodeID($0.id), name: $0.name, address: $0.address, zone: $0.zone,
                                virtualNodes: $0.virtualNodes)
                        })
                }
            }
            struct RingValue: Decodable {
                let layout: Layout
                let next: Layout?
                let acceptors: [UInt64]
            }
            struct Case: Decodable {
                let token: String
                let nodes: [UInt64]
                let next: [UInt64]?
            }
            let name: String
            let ring: RingValue
            let tokens: [[String]]
            let replicas: [Case]
        }
        let vectors: [Vector] = try Specification.vectors("rings.json")
        #expect(vectors.count >= 11)
        #expect(vectors.flatMap(\.replicas).contains { $0.next != nil })
        for vector in vectors {
            let ring = Ring(
                clusterID: Samples.cluster, epoch: Epoch(1), layout: vector.ring.layout.layout,
                next: vector.ring.next?.layout)
            #expect(ring.acceptors.map(\.rawValue) == vector.ring.acceptors, "\(vector.name)")
            #expect(ring.members.map { $0.tokens.prefix(4).map(Hex.fixed) } == vector.tokens, "\(vector.name)")
            for replicas in vector.replicas {
                let token = try #require(Hex.number(replicas.token[...]))
                let place = "\(vector.name), \(replicas.token)"
                #expect(ring.replicas(of: token).map(\.rawValue) == replicas.nodes, "\(place)")
                #expect(ring.nextReplicas(of: token)?.map(\.rawValue) == replicas.next, "\(place)")
                let segment = try #require(ring.segments.first { $0.range.contains(token) })
                #expect(segment.replicas.map(\.rawValue) == replicas.nodes, "\(place)")
                #expect(segment.next?.map(\.rawValue) == replicas.next, "\(place)")
            }
        }
    }

    @Test func treesAgree() throws {
        struct Vector: Decodable {
            struct Stretch: Decodable {
                let after: UInt64
                let through: UInt64
            }
            struct Accepted: Decodable {
                let time: UInt64
                let node: UInt64
            }
            struct Register: Decodable {
                let key: String
                let accepted: Accepted?
            }
            let name: String
            let range: Stretch
            let leaves: Int
            let registers: [Register]
            let tree: [UInt64]
        }
        let vectors: [Vector] = try Specification.vectors("trees.json")
        #expect(vectors.count >= 7 && vectors.contains { $0.tree.count { $0 != 0 } > 5 })
        for vector in vectors {
            let range = TokenRange(after: vector.range.after, through: vector.range.through)
            let parts = range.split(into: vector.leaves)
            var leaves = [UInt64](repeating: 0, count: parts.count)
            for register in vector.registers {
                guard let accepted = register.accepted else { continue }
                let key = Key(bytes(register.key))
                let holding = parts.indices.filter { parts[$0].contains(key.token) }
                #expect(holding.count == 1, "\(vector.name): a token lies in one leaf")
                guard let place = holding.first else { continue }
                leaves[place] ^= Tree.hash(
                    of: key, accepted: Ballot(time: HybridTime(accepted.time), node: NodeID(accepted.node)))
            }
            #expect(leaves == vector.tree, "\(vector.name)")
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
