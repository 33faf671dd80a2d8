import Testing
import Wire

/// A vector of `frames.json`.
struct FrameVector: Decodable {
    struct Header: Decodable {
        let type: UInt16
        let flags: UInt8
        let requestId: UInt32
        let time: UInt64
        let epoch: UInt32
    }

    let name: String
    let message: String
    let header: Header
    let hex: String
}

@Suite struct FrameVectorTests {
    private static func put(_ key: [UInt8], _ consistency: Consistency, _ change: RegisterChange) -> Message {
        .writeRequest(WriteRequest(key: Key(key), consistency: consistency, change: change))
    }

    /// Every vector's message, by name. Those with packed batches or membership messages are looked at apart.
    private static func expected() throws -> [(name: String, message: Message)] {
        let drone = Key("drone/7")
        let lock = Array("lock".utf8)
        let droneBytes = Array("drone/7".utf8)
        let value = Array("hello".utf8)
        let crowd = (1...40).map { number in
            var identity = Samples.node
            identity.id = NodeID(UInt64(number))
            identity.name = "n\(number)"
            return MemberInfo(identity: identity, state: .alive)
        }
        let members = [
            MemberInfo(identity: Samples.node, state: .alive), MemberInfo(identity: Samples.gateway, state: .left),
        ]
        let some = AcceptedCell(ballot: Samples.ballot, cell: Samples.valueCell)
        let mac = try Specification.vectors("handshake.json", as: HandshakeVector.self)[0]
        return [
            ("hello", .hello(Samples.hello)),
            ("hello of a gateway", .hello(Samples.gatewayHello)),
            ("challenge", .challenge(Samples.challenge)),
            ("proof", .proof(SecretProof(mac: bytes(mac.connector)))),
            ("welcome", .welcome(SecretProof(mac: bytes(mac.listener)))),
            (
                "error",
                .error(ErrorMessage(code: .staleEpoch, detail: "the ring is at epoch 7, yours is 3: ask for it"))
            ),
            ("clusterRequest", .clusterRequest),
            (
                "clusterState before founding",
                .clusterState(ClusterState(name: "stormo", answeredBy: NodeID(1), ring: nil, members: []))
            ),
            (
                "clusterState",
                .clusterState(
                    ClusterState(name: "stormo", answeredBy: Samples.one, ring: Samples.ring, members: members))
            ),
            (
                "clusterState compressed",
                .clusterState(ClusterState(name: "stormo", answeredBy: NodeID(1), ring: nil, members: crowd))
            ),
            ("statsRequest", .statsRequest),
            (
                "stats",
                .stats(NodeStatistics(items: [.init(name: "reads", value: 0), .init(name: "writes", value: .max)]))
            ),
            ("readRequest", .readRequest(ReadRequest(key: drone, consistency: .quorum))),
            ("readAnswer of nothing", .readAnswer(ReadAnswer(cell: nil))),
            ("readAnswer", .readAnswer(ReadAnswer(cell: Samples.valueCell))),
            ("put", put(droneBytes, .quorum, .put(value: value, ttlMs: nil, condition: .none))),
            ("put when absent, expiring", put([0], .serial, .put(value: [], ttlMs: 1_000, condition: .absent))),
            ("delete of a version", put(droneBytes, .serial, .delete(condition: .version(Samples.ballot)))),
            ("acquire", put(lock, .quorum, .acquire(owner: "dispatcher-1", ttlMs: 30_000))),
            ("renew", put(lock, .quorum, .renew(token: Samples.ballot, ttlMs: 3_600_000))),
            ("release", put(lock, .quorum, .release(token: Samples.ballot))),
            (
                "writeAnswer",
                .writeAnswer(
                    WriteAnswer(applied: true, version: Samples.ballot, expiryMs: 1_767_229_200_000, current: nil))
            ),
            (
                "writeAnswer refused",
                .writeAnswer(WriteAnswer(applied: false, version: nil, expiryMs: nil, current: Samples.tombstone))
            ),
            (
                "scanRequest",
                .scanRequest(ScanRequest(prefix: Array("drone/".utf8), after: [], limit: 1_000, keysOnly: false))
            ),
            (
                "scanAnswer",
                .scanAnswer(
                    ScanAnswer(
                        items: [
                            ScanItem(key: Key("a"), cell: Samples.valueCell),
                            ScanItem(key: Key("b"), cell: Samples.casCell),
                        ],
                        resumeAfter: [0x62]))
            ),
            ("createTopic", .createTopic(CreateTopic(name: "drone.telemetry", configuration: TopicConfiguration()))),
            ("describeTopics", .describeTopics(DescribeTopics(name: ""))),
            ("topics", .topics(Topics(topics: [Samples.topic]))),
            ("deleteTopic", .deleteTopic(DescribeTopics(name: "drone.telemetry"))),
            ("deleted", .deleted),
            ("produce", .produce(Produce(partition: Samples.partition, batch: try Samples.sentBatch()))),
            ("produced", .produced(Produced(baseOffset: 1_000))),
            ("fetch", .fetch(Fetch(partition: Samples.partition, offset: .max, bytesMax: 1 << 20, waitMs: 30_000))),
            (
                "offsetRequest by time",
                .offsetRequest(
                    OffsetRequest(partition: Samples.partition, query: .time(UInt64(Samples.milliseconds) + 123)))
            ),
            (
                "offsetRequest from the end",
                .offsetRequest(OffsetRequest(partition: Samples.partition, query: .last(10)))
            ),
            (
                "offsetAnswer",
                .offsetAnswer(
                    OffsetAnswer(
                        epoch: 2, offset: 1_000, highWatermark: 1_023, firstOffset: 10,
                        appendedMs: UInt64(Samples.milliseconds) + 123))
            ),
            (
                "alterTopic",
                .alterTopic(CreateTopic(name: "drone.telemetry", configuration: TopicConfiguration(partitions: 16)))
            ),
            (
                "electPrimary",
                .electPrimary(ElectPrimary(topic: "drone.telemetry", partition: 5, node: Samples.two, unclean: true))
            ),
            ("elected", .elected(Elected(unclean: true, epoch: 4, firstOffset: 10, endOffset: 1_003))),
            ("prepare", .prepare(Prepare(key: drone, ballot: Samples.ballot))),
            (
                "promise",
                .promise(
                    ReplicaState(
                        accepted: AcceptedCell(ballot: Samples.later, cell: Samples.valueCell), promised: Samples.later)
                )
            ),
            ("promise of nothing", .promise(ReplicaState(accepted: nil, promised: .zero))),
            (
                "accept",
                .accept(
                    Accept(
                        key: drone, ballot: Samples.later, cell: Samples.casCell,
                        next: Ballot(time: Samples.time.next.next, node: NodeID(1))))
            ),
            (
                "accept of a tombstone",
                .accept(Accept(key: drone, ballot: Samples.later, cell: Samples.tombstone, next: nil))
            ),
            ("accepted", .accepted(AcceptedReply(nextPromised: true))),
            ("refused", .refused(RefusedReply(promised: Samples.later, acceptedBallot: .zero))),
            ("replicaRead", .replicaRead(ReadRequest(key: drone, consistency: .local))),
            ("replicaState", .replicaState(ReplicaState(accepted: some, promised: Samples.ballot))),
            ("replicaScan", .replicaScan(ScanRequest(prefix: [], after: [0x61], limit: 1, keysOnly: true))),
            (
                "replicaPage",
                .replicaPage(
                    ReplicaPage(
                        items: ["a", "b"].map {
                            .init(
                                key: Key($0), accepted: AcceptedCell(ballot: Samples.later, cell: Samples.bareTombstone)
                            )
                        },
                        hasMore: true))
            ),
            (
                "append",
                .append(
                    Append(
                        partition: Samples.partition, epoch: 2, previousEnd: 1_000, previousEpoch: 1,
                        highWatermark: 999,
                        firstOffset: 1_000, producers: [Samples.producer], batches: [try Samples.plainBatch()]))
            ),
            (
                "append as heartbeat",
                .append(
                    Append(
                        partition: Samples.partition, epoch: 2, previousEnd: 0, previousEpoch: 0, highWatermark: 0,
                        firstOffset: 0,
                        batches: []))
            ),
            (
                "appended",
                .appended(Appended(partition: Samples.partition, epoch: 2, logID: .max, matched: true, end: 1_003))
            ),
            ("reconfigured", .reconfigured(Reconfigured(partition: Samples.partition))),
            ("found", .found(Found(ring: Samples.ring))),
            ("founded", .founded(Founded(agreed: false, ring: Samples.ring))),
            ("founded without ring", .founded(Founded(agreed: true, ring: nil))),
        ] + watching + changesOfTheRing + copies
    }

    private static let watching: [(name: String, message: Message)] = {
        let prefix = Array("drone/".utf8)
        func request(_ prefix: [UInt8], _ position: WatchPosition?, _ waitMs: UInt32) -> Message {
            .watchRequest(WatchRequest(prefix: prefix, position: position, waitMs: waitMs))
        }
        return [
            ("watchRequest from the beginning", request([], nil, 0)),
            ("watchRequest", request(prefix, WatchPosition(time: Samples.time, after: nil, node: Samples.one), 60_000)),
            (
                "watchRequest within a listing",
                request(
                    prefix, WatchPosition(time: Samples.time, after: Array("drone/7".utf8), node: Samples.one), 10_000)
            ),
            (
                "watchAnswer",
                .watchAnswer(
                    WatchAnswer(
                        isReset: true,
                        items: [
                            ScanItem(key: Key("drone/7"), cell: Samples.valueCell),
                            ScanItem(key: Key("drone/8"), cell: Samples.tombstone),
                        ],
                        position: WatchPosition(time: Samples.time, after: Array("drone/8".utf8), node: Samples.one)))
            ),
            (
                "watchAnswer of nothing",
                .watchAnswer(
                    WatchAnswer(
                        isReset: false, items: [],
                        position: WatchPosition(time: Samples.time.next, after: nil, node: Samples.one)))
            ),
            ("subscribe", .subscribe(Subscribe(prefix: prefix))),
            ("subscribed", .subscribed(Subscribed(wasKnown: true))),
            ("changedKeys", .changedKeys(ChangedKeys(keys: [Key("drone/7"), Key([0, 255])]))),
        ]
    }()

    private static let changesOfTheRing: [(name: String, message: Message)] = [
        ("ringRequest", .ringRequest),
        ("ringState", .ringState(RingState(ring: Samples.jointRing))),
        ("ringState before founding", .ringState(RingState(ring: nil))),
        ("held", .held(Held(epoch: Epoch(4)))),
        ("add a node", .changeRing(ChangeRing(change: .add("n3"), dryRun: true))),
        ("remove a node", .changeRing(ChangeRing(change: .remove("10.0.0.1:7000"), dryRun: false))),
        ("replace a node", .changeRing(ChangeRing(change: .replace("n2", with: "città"), dryRun: false))),
        ("set the replication factor", .changeRing(ChangeRing(change: .replicationFactor(5), dryRun: true))),
        ("abort", .changeRing(ChangeRing(change: .abort, dryRun: false))),
        (
            "ringPlan",
            .ringPlan(
                RingPlan(
                    epoch: Epoch(4), replicas: 2,
                    shares: [
                        .init(node: Samples.one, name: "n1", before: 1_000_000, after: 700_000, copies: 0),
                        .init(node: Samples.three, name: "n3", before: 0, after: 300_000, copies: 300_000),
                    ],
                    dangers: [.init(range: Samples.range, alive: [Samples.one], needed: 2)]))
        ),
        ("forgetMember", .forgetMember(ForgetMember(node: "n2"))),
        ("done", .done),
    ]

    private static let copies: [(name: String, message: Message)] = {
        var status = RepairStatus()
        status.isRunning = true
        status.rangesDone = 12
        status.rangesTotal = 128
        status.rangesFailed = 1
        status.keysCompared = 100_000
        status.keysRepaired = 3
        status.bytes = 1 << 33
        status.elapsedMs = 1_500
        let some = AcceptedCell(ballot: Samples.ballot, cell: Samples.valueCell)
        return [
            ("rangeRequest", .rangeRequest(RangeRequest(range: Samples.range, after: nil, limit: 1_000))),
            (
                "rangeRequest further on",
                .rangeRequest(RangeRequest(range: Samples.range, after: Key("drone/7"), limit: 1))
            ),
            (
                "rangePage",
                .rangePage(
                    RangePage(
                        items: [
                            .init(key: Key("drone/7"), state: RegisterState(promised: Samples.later, accepted: some)),
                            .init(key: Key("drone/8"), state: RegisterState(promised: Samples.ballot, accepted: nil)),
                        ],
                        hasMore: true))
            ),
            ("treeRequest", .treeRequest(TreeRequest(range: Samples.range, leaves: 1_024))),
            ("tree", .tree(Tree(leaves: [0, .max, 1]))),
            (
                "collect",
                .collect(
                    Collect(
                        items: [
                            .init(key: Key("drone/7"), ballot: Samples.later),
                            .init(key: Key("a"), ballot: Samples.ballot),
                        ],
                        isAgreed: false))
            ),
            ("collected", .collected(Collected(confirmed: [true, false]))),
            ("repairRequest", .repairRequest(RepairRequest(begin: true))),
            ("repairStatus", .repairStatus(status)),
        ]
    }()

    private static func decode(_ vector: FrameVector) throws -> Frame {
        let data = bytes(vector.hex)
        guard case .frame(let frame, let consumed) = try data.withUnsafeBytes({ try FrameDecoder.next($0) }) else {
            Issue.record("\(vector.name) is not whole")
            throw WireError.truncated(field: vector.name, needed: 0, available: 0)
        }
        #expect(consumed == data.count)
        return frame
    }

    private static func encode(_ message: Message, like vector: FrameVector) -> [UInt8] {
        var encoder = FrameEncoder()
        encoder.append(
            message, requestID: RequestID(vector.header.requestId), answer: vector.header.flags & 1 == 1,
            time: HybridTime(vector.header.time), epoch: Epoch(vector.header.epoch))
        return encoder.output.bytes
    }

    @Test func everyVectorIsDecodedToItsValueAndEncodedFromIt() throws {
        let vectors: [FrameVector] = try Specification.vectors("frames.json")
        let expected = try Self.expected()
        for vector in vectors where vector.message != "gossip" && vector.name != "fetched" {
            guard let message = expected.first(where: { $0.name == vector.name })?.message else {
                Issue.record("no value is expected of the vector \(vector.name)")
                continue
            }
            let frame = try Self.decode(vector)
            #expect(frame.message == message, "\(vector.name)")
            #expect("\(frame.message.type)" == vector.message)
            #expect(frame.header.type.rawValue == vector.header.type)
            #expect(frame.header.flags.rawValue == vector.header.flags)
            #expect(frame.header.requestID.rawValue == vector.header.requestId)
            #expect(frame.header.time.rawValue == vector.header.time)
            #expect(frame.header.epoch.rawValue == vector.header.epoch)
            let encoded = Self.encode(message, like: vector)
            if vector.header.flags & 2 == 0 {
                #expect(hex(encoded) == vector.hex, "\(vector.name)")
            } else {
                // Blocks differ between compressors; what they restore does not.
                #expect(encoded[10] & 2 == 2, "\(vector.name) is worth compressing")
                let again = FrameVector(
                    name: vector.name, message: vector.message, header: vector.header, hex: hex(encoded))
                #expect(try Self.decode(again).message == message)
            }
        }
        #expect(expected.count == vectors.count { $0.message != "gossip" && $0.name != "fetched" })
    }

    @Test func fetchedBatchesAreThoseOfTheVectors() throws {
        let vectors: [FrameVector] = try Specification.vectors("frames.json")
        let vector = try #require(vectors.first { $0.name == "fetched" })
        guard case .fetched(let fetched) = try Self.decode(vector).message else {
            Issue.record("another message")
            return
        }
        #expect((fetched.epoch, fetched.highWatermark, fetched.firstOffset) == (2, 1_023, 10))
        #expect(fetched.batches.count == 2)
        #expect(fetched.batches.first == (try Samples.plainBatch()))
        #expect(try fetched.batches.last?.records() == Samples.repetitive)
        #expect(hex(Self.encode(.fetched(fetched), like: vector)) == vector.hex)
    }

    @Test func gossipIsCarriedAsItIs() throws {
        struct Membership: Decodable {
            let name: String
            let hex: String
        }
        let vectors: [FrameVector] = try Specification.vectors("frames.json")
        let messages: [Membership] = try Specification.vectors("membership.json")
        for message in messages {
            let vector = try #require(vectors.first { $0.name == "gossip " + message.name })
            #expect(try Self.decode(vector).message == .gossip(bytes(message.hex)))
            #expect(hex(Self.encode(.gossip(bytes(message.hex)), like: vector)) == vector.hex)
        }
    }

    @Test func everyMessageHasAVector() throws {
        let vectors: [FrameVector] = try Specification.vectors("frames.json")
        let covered = vectors.map(\.header.type)
        for type in MessageType.allCases { #expect(covered.contains(type.rawValue), "\(type)") }
    }

    @Test func malformedBytesAreRefusedForTheirReason() throws {
        struct Malformed: Decodable {
            let name: String
            let error: String
            let hex: String
        }
        let vectors: [Malformed] = try Specification.vectors("malformed.json")
        #expect(vectors.count >= 20)
        for vector in vectors {
            let found: String
            do throws(WireError) {
                let step = try Self.next(bytes(vector.hex))
                if case .needsBytes = step { found = "incomplete" } else { found = "none" }
            } catch {
                found =
                    switch error {
                    case .truncated: "truncated"
                    case .overLimit: "over limit"
                    case .invalid: "invalid"
                    case .trailing: "trailing"
                    case .checksum: "checksum"
                    case .unknownType: "unknown type"
                    case .decompression: "decompression"
                    }
            }
            #expect(found == vector.error, "\(vector.name)")
        }
    }

    private static func next(_ data: [UInt8]) throws(WireError) -> FrameDecoder.Step {
        let result: Result<FrameDecoder.Step, WireError> = data.withUnsafeBytes { bytes in
            do throws(WireError) { return .success(try FrameDecoder.next(bytes)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}

/// A vector of `handshake.json`.
struct HandshakeVector: Decodable {
    let secret: String
    let hello: String
    let challenge: String
    let connector: String
    let listener: String
}
