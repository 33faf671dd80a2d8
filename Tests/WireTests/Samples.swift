import Wire

/// Messages with the edges of every field.
enum Samples {
    static let text255 = String(repeating: "x", count: 255)
    static let node = PeerIdentity(
        role: .node, id: NodeID(.max), name: text255, incarnation: .max, address: text255, zone: text255)
    static let nobody = PeerIdentity(role: .tool, id: .none, name: "", incarnation: 0, address: "")
    static let ballot = Ballot(time: HybridTime(.max), node: NodeID(.max))
    static let key512 = Key([UInt8](repeating: 0xFF, count: 512))
    static let ring = Ring(
        clusterID: ClusterID(high: .max, low: 1), epoch: Epoch(.max), replicationFactor: 65_535,
        members: (1...64).map {
            RingMember(
                id: NodeID(UInt64($0)), name: "n\($0)", address: "n\($0):7000", zone: "z\($0 % 3)", virtualNodes: 1)
        })
    static let jointRing = Ring(
        clusterID: ClusterID(high: 1, low: .max), epoch: Epoch(.max),
        layout: RingLayout(replicationFactor: 65_535, members: Array(ring.members.prefix(2))),
        next: RingLayout(
            replicationFactor: 1,
            members: [RingMember(id: NodeID(.max), name: text255, address: text255, zone: text255, virtualNodes: 2)]
        ), acceptors: [1, 2, 3, 4, .max].map { NodeID($0) })
    static let range = TokenRange(after: .max, through: 0)
    static let partition = PartitionID(topic: TopicID(.max), index: .max)

    static let cells: [Cell] = [
        Cell(version: .zero, base: nil, content: .tombstone, expiryMs: nil),
        Cell(version: ballot, base: ballot, content: .value([]), expiryMs: .max),
        Cell(version: ballot, base: .zero, content: .value([0, 255]), expiryMs: 1),
        Cell(version: ballot, base: nil, content: .value(noise(WireLimits.valueBytesMax)), expiryMs: nil),
    ]

    /// Bytes that do not compress.
    static func noise(_ count: Int) -> [UInt8] {
        var state: UInt64 = 88_172_645_463_325_252
        return (0..<count).map { _ in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return UInt8(truncatingIfNeeded: state >> 32)
        }
    }

    static func batch(_ count: Int) throws -> RecordBatch {
        try RecordBatch(
            records: (0..<count).map { Record(key: [UInt8($0 % 256)], value: [1, 2, 3], timestampMs: UInt64($0)) },
            producerID: .max, sequence: .max)
    }

    static func messages() throws -> [Message] {
        var messages: [Message] = []
        for identity in [node, nobody] {
            for purpose in ConnectionPurpose.allCases {
                messages.append(
                    .hello(
                        Hello(
                            versionMin: 0, versionMax: .max, features: .max, purpose: purpose,
                            clusterName: identity.name,
                            clusterID: ClusterID(high: 0, low: .max), identity: identity, nonce: noise(32))))
            }
            messages.append(
                .challenge(
                    Challenge(version: .max, features: 1, clusterID: .none, identity: identity, nonce: noise(32))))
        }
        messages += [.proof(SecretProof(mac: noise(32))), .welcome(SecretProof(mac: [UInt8](repeating: 0, count: 32)))]
        messages += ErrorCode.allCases.map { .error(ErrorMessage(code: $0, detail: "")) }
        messages.append(.error(ErrorMessage(code: .invalid, detail: String(repeating: "è", count: 512))))
        messages += [.clusterRequest, .statsRequest, .deleted]
        messages.append(.clusterState(ClusterState(name: "", answeredBy: .none, ring: nil, members: [])))
        let members = MemberState.allCases.map { MemberInfo(identity: node, state: $0) }
        messages.append(
            .clusterState(ClusterState(name: text255, answeredBy: NodeID(.max), ring: ring, members: members)))
        messages.append(.stats(NodeStatistics(items: [])))
        messages.append(.stats(NodeStatistics(items: [.init(name: "", value: 0), .init(name: text255, value: .max)])))

        for consistency in Consistency.allCases {
            messages.append(.readRequest(ReadRequest(key: Key([0]), consistency: consistency)))
            messages.append(.replicaRead(ReadRequest(key: key512, consistency: consistency)))
        }
        messages += [.readAnswer(ReadAnswer(cell: nil))] + cells.map { .readAnswer(ReadAnswer(cell: $0)) }
        let ttl = WireLimits.ttlMsRange
        let lease = WireLimits.leaseMsRange
        let changes: [RegisterChange] = [
            .put(value: [], ttlMs: nil, condition: .none), .put(value: [9], ttlMs: ttl.lowerBound, condition: .absent),
            .put(value: noise(WireLimits.valueBytesMax), ttlMs: ttl.upperBound, condition: .version(.zero)),
            .delete(condition: .none), .delete(condition: .absent), .delete(condition: .version(ballot)),
            .acquire(owner: "", ttlMs: lease.lowerBound), .acquire(owner: text255, ttlMs: lease.upperBound),
            .renew(token: .zero, ttlMs: lease.lowerBound), .release(token: ballot),
        ]
        messages += changes.map { .writeRequest(WriteRequest(key: key512, consistency: .serial, change: $0)) }
        messages.append(.writeAnswer(WriteAnswer(applied: true, version: ballot, expiryMs: .max, current: nil)))
        messages.append(.writeAnswer(WriteAnswer(applied: false, version: nil, expiryMs: nil, current: cells[1])))
        for limit in [1, 1_000] as [UInt32] {
            messages.append(.scanRequest(ScanRequest(prefix: [], after: key512.bytes, limit: limit, keysOnly: true)))
            messages.append(.replicaScan(ScanRequest(prefix: key512.bytes, after: [], limit: limit, keysOnly: false)))
        }
        messages.append(.scanAnswer(ScanAnswer(items: [], resumeAfter: nil)))
        messages.append(.scanAnswer(ScanAnswer(items: [], resumeAfter: key512.bytes)))
        // The shortest items there are, in the greatest number.
        messages.append(
            .scanAnswer(
                ScanAnswer(
                    items: [ScanItem](
                        repeating: ScanItem(key: Key([0]), cell: cells[0]), count: WireLimits.scanItemsMax),
                    resumeAfter: nil)))
        messages.append(
            .replicaPage(
                ReplicaPage(
                    items: [ReplicaPage.Item](
                        repeating: .init(key: Key([0]), accepted: AcceptedCell(ballot: .zero, cell: cells[0])),
                        count: WireLimits.scanItemsMax),
                    hasMore: false)))
        messages.append(.replicaPage(ReplicaPage(items: [], hasMore: true)))

        let greatest = TopicConfiguration(
            partitions: 1_024, replicationFactor: .max, minInSync: .max, retentionMs: .max, retentionBytes: .max,
            cleanup: .compact)
        let least = TopicConfiguration(partitions: 1, replicationFactor: 1, retentionMs: 0)
        messages.append(.createTopic(CreateTopic(name: "", configuration: least)))
        messages.append(.createTopic(CreateTopic(name: text255, configuration: greatest)))
        messages += ["", text255].flatMap {
            [.describeTopics(DescribeTopics(name: $0)), .deleteTopic(DescribeTopics(name: $0))]
        }
        let bare = PartitionInfo(
            index: 0, epoch: 0, primary: .none, replicas: [], inSync: [], firstOffset: 0, highWatermark: 0, bytes: 0)
        let full = PartitionInfo(
            index: .max, epoch: .max, primary: NodeID(.max), replicas: (1...64).map { NodeID($0) },
            inSync: [NodeID(.max)],
            firstOffset: .max, highWatermark: .max, bytes: .max)
        messages.append(.topics(Topics(topics: [])))
        messages.append(
            .topics(
                Topics(topics: [
                    TopicInfo(name: "", id: TopicID(0), configuration: least, partitions: []),
                    TopicInfo(
                        name: "a", id: TopicID(.max), configuration: greatest,
                        partitions: [full] + [PartitionInfo](repeating: bare, count: 1_023)),
                ])))
        var appended = try batch(300)
        appended.baseOffset = 1 << 40
        appended.epoch = .max
        messages.append(.produce(Produce(partition: partition, batch: try batch(1))))
        messages.append(.produced(Produced(baseOffset: .max)))
        for waitMs in [0, Fetch.waitMsMax] {
            messages.append(.fetch(Fetch(partition: partition, offset: .max, bytesMax: .max, waitMs: waitMs)))
        }
        for query in [OffsetQuery.earliest, .latest, .time(.max), .last(1), .offset(.max)] {
            messages.append(.offsetRequest(OffsetRequest(partition: partition, query: query)))
        }
        messages.append(
            .offsetAnswer(
                OffsetAnswer(epoch: .max, offset: .max, highWatermark: .max, firstOffset: 0, appendedMs: .max)))
        messages.append(.alterTopic(CreateTopic(name: text255, configuration: greatest)))
        for unclean in [true, false] {
            messages.append(
                .electPrimary(
                    ElectPrimary(topic: text255, partition: .max, node: NodeID(.max), unclean: unclean)))
            messages.append(.elected(Elected(unclean: unclean, epoch: .max, firstOffset: 0, endOffset: .max)))
        }
        messages.append(.reconfigured(Reconfigured(partition: partition)))
        messages.append(.fetched(Fetched(epoch: .max, highWatermark: .max, firstOffset: 0, batches: [])))
        messages.append(
            .fetched(
                Fetched(epoch: 0, highWatermark: 0, firstOffset: .max, batches: [appended, try batch(1), appended])))
        messages.append(.prepare(Prepare(key: key512, ballot: ballot)))
        for state in [
            ReplicaState(accepted: nil, promised: .zero),
            ReplicaState(accepted: AcceptedCell(ballot: ballot, cell: cells[3]), promised: ballot),
        ] {
            messages += [.promise(state), .replicaState(state)]
        }
        messages += cells.map { .accept(Accept(key: Key("k"), ballot: ballot, cell: $0, next: nil)) }
        messages.append(.accept(Accept(key: key512, ballot: .zero, cell: cells[0], next: ballot)))
        messages += [true, false].map { .accepted(AcceptedReply(nextPromised: $0)) }
        messages.append(.refused(RefusedReply(promised: ballot, acceptedBallot: .zero)))
        for batches in [[], [appended, appended]] {
            messages.append(
                .append(
                    Append(
                        partition: partition, epoch: .max, previousEnd: .max, previousEpoch: .max, highWatermark: .max,
                        firstOffset: .max,
                        producers: [
                            ProducerPosition(
                                producerID: .max, sequence: .max, count: .max, baseOffset: .max, appendedMs: .max)
                        ], batches: batches)))
        }
        messages += [true, false].map {
            .appended(Appended(partition: partition, epoch: .max, logID: .max, matched: $0, end: .max))
        }
        let empty = Ring(clusterID: .none, epoch: .none, replicationFactor: 1, members: [])
        messages += [.found(Found(ring: empty)), .found(Found(ring: ring))]
        messages += [.founded(Founded(agreed: true, ring: nil)), .founded(Founded(agreed: false, ring: ring))]
        messages += [.founded(Founded(agreed: true, ring: jointRing)), .found(Found(ring: jointRing))]
        messages += watching + changesOfTheRing + copies
        messages += [
            .gossip([]), .gossip(noise(WireLimits.gossipBytesMax)), .gossip([UInt8](repeating: 7, count: 5_000)),
        ]
        return messages
    }

    private static var watching: [Message] {
        let positions = [
            nil, WatchPosition(time: .zero, after: nil, node: NodeID(1)),
            WatchPosition(time: HybridTime(.max), after: [], node: NodeID(1)),
            WatchPosition(time: HybridTime(.max), after: key512.bytes, node: NodeID(1)),
        ]
        var messages = positions.flatMap { position in
            [
                Message.watchRequest(WatchRequest(prefix: [], position: position, waitMs: 0)),
                .watchRequest(
                    WatchRequest(prefix: key512.bytes, position: position, waitMs: WireLimits.watchWaitMsMax)),
            ]
        }
        messages += positions.compactMap { $0 }.map {
            .watchAnswer(WatchAnswer(isReset: false, items: [], position: $0))
        }
        messages.append(
            .watchAnswer(
                WatchAnswer(
                    isReset: true,
                    items: [ScanItem](
                        repeating: ScanItem(key: Key([0]), cell: cells[0]), count: WireLimits.scanItemsMax),
                    position: WatchPosition(time: .zero, after: [0], node: NodeID(1)))))
        messages += cells.map {
            .watchAnswer(
                WatchAnswer(
                    isReset: true, items: [ScanItem(key: key512, cell: $0)],
                    position: WatchPosition(time: .zero, after: nil, node: NodeID(1))))
        }
        messages += [.subscribe(Subscribe(prefix: [])), .subscribe(Subscribe(prefix: key512.bytes))]
        messages += [true, false].map { .subscribed(Subscribed(wasKnown: $0)) }
        messages += [[], [Key](repeating: Key([0]), count: WireLimits.scanItemsMax), [key512]].map {
            .changedKeys(ChangedKeys(keys: $0))
        }
        return messages
    }

    private static var changesOfTheRing: [Message] {
        let changes: [RingChange] = [
            .add(""), .add(text255), .remove(""), .remove(text255), .replace("", with: ""),
            .replace(text255, with: text255), .replicationFactor(0), .replicationFactor(65_535), .abort,
        ]
        var messages = changes.flatMap { change in
            [true, false].map { Message.changeRing(ChangeRing(change: change, dryRun: $0)) }
        }
        messages += [nil, ring, jointRing].map { .ringState(RingState(ring: $0)) }
        messages += [.ringRequest, .done, .held(Held(epoch: .none)), .held(Held(epoch: Epoch(.max)))]
        messages += ["", text255].map { .forgetMember(ForgetMember(node: $0)) }
        messages.append(.ringPlan(RingPlan(epoch: .none, replicas: 0, shares: [], dangers: [])))
        let nobody = RingPlan.Share(node: .none, name: "", before: 0, after: 0, copies: 0)
        let all = RingPlan.Share(node: NodeID(.max), name: text255, before: .max, after: .max, copies: .max)
        let bare = RingPlan.Danger(range: range, alive: [], needed: 0)
        let full = RingPlan.Danger(range: .all, alive: (1...64).map { NodeID($0) }, needed: .max)
        messages.append(
            .ringPlan(
                RingPlan(
                    epoch: Epoch(.max), replicas: .max, shares: [all] + [RingPlan.Share](repeating: nobody, count: 127),
                    dangers: [full, bare, bare])))
        return messages
    }

    private static var copies: [Message] {
        var messages: [Message] = [
            .rangeRequest(RangeRequest(range: .all, after: nil, limit: 1)),
            .rangeRequest(RangeRequest(range: range, after: key512, limit: 1_000)),
            .rangePage(RangePage(items: [], hasMore: true)),
            .rangePage(
                RangePage(
                    items: [RangePage.Item](
                        repeating: .init(key: Key([0]), state: .empty), count: WireLimits.scanItemsMax),
                    hasMore: false)),
        ]
        messages += cells.map {
            let accepted = AcceptedCell(ballot: ballot, cell: $0)
            return .rangePage(
                RangePage(
                    items: [.init(key: key512, state: RegisterState(promised: ballot, accepted: accepted))],
                    hasMore: true))
        }
        messages += [1, 1_024].map { .treeRequest(TreeRequest(range: range, leaves: $0)) }
        messages += [[], [UInt64](repeating: 0, count: 1_024), [1, .max]].map { .tree(Tree(leaves: $0)) }
        messages += [true, false].flatMap { isAgreed in
            [
                [], [.init(key: key512, ballot: ballot)],
                [.init(key: Key([0]), ballot: .zero), .init(key: Key([1]), ballot: ballot)],
            ]
            .map { Message.collect(Collect(items: $0, isAgreed: isAgreed)) }
        }
        messages += [[], [true, false], [Bool](repeating: true, count: 1_000)].map {
            .collected(Collected(confirmed: $0))
        }
        messages += [true, false].map { .repairRequest(RepairRequest(begin: $0)) }
        var status = RepairStatus()
        messages.append(.repairStatus(status))
        status.isRunning = true
        status.rangesDone = 1
        status.rangesTotal = .max
        status.rangesFailed = 2
        status.keysCompared = .max
        status.keysRepaired = 3
        status.bytes = 4
        status.elapsedMs = .max
        messages.append(.repairStatus(status))
        return messages
    }
}

/// The bytes of one frame.
func frame(_ message: Message, requestID: UInt32 = 9, answer: Bool = false) -> [UInt8] {
    var encoder = FrameEncoder()
    encoder.append(
        message, requestID: RequestID(requestID), answer: answer, time: HybridTime(milliseconds: 5), epoch: Epoch(2))
    return encoder.output.bytes
}

/// What the front of the bytes is.
func next(_ bytes: some Collection<UInt8>, bodyBytesMax: Int = WireLimits.frameBytesMax) throws(WireError)
    -> FrameDecoder.Step
{
    let result: Result<FrameDecoder.Step, WireError> = Array(bytes).withUnsafeBytes { bytes in
        do throws(WireError) { return .success(try FrameDecoder.next(bytes, bodyBytesMax: bodyBytesMax)) } catch {
            return .failure(error)
        }
    }
    return try result.get()
}

/// The frame at the front of the bytes, or nil when it is not whole.
func whole(_ bytes: some Collection<UInt8>) throws(WireError) -> Frame? {
    guard case .frame(let frame, _) = try next(bytes) else { return nil }
    return frame
}

/// Reads with `read` and throws when bytes are left.
func reading<T>(_ bytes: [UInt8], _ read: (inout ByteReader) throws(WireError) -> T) throws(WireError) -> T {
    let result: Result<T, WireError> = bytes.withUnsafeBytes { bytes in
        do throws(WireError) {
            var reader = ByteReader(bytes)
            let value = try read(&reader)
            try reader.end(of: "test")
            return .success(value)
        } catch { return .failure(error) }
    }
    return try result.get()
}

/// What is thrown; nil for nothing.
func failure(_ work: () throws(WireError) -> Void) -> WireError? {
    do throws(WireError) {
        try work()
        return nil
    } catch { return error }
}

extension [UInt8] {
    /// The same with other bytes at a place.
    func with(_ at: Int, _ bytes: [UInt8]) -> [UInt8] {
        var copy = self
        copy.replaceSubrange(at..<at + bytes.count, with: bytes)
        return copy
    }

    /// A frame whose checksum has been set right after a change.
    var sealed: [UInt8] {
        let digest = XXH64.hash(Array(self[8...]))
        return with(4, (0..<4).map { UInt8(truncatingIfNeeded: digest >> (8 * $0)) })
    }
}

/// The bytes of a number, little-endian.
func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] { Swift.withUnsafeBytes(of: value.littleEndian) { Array($0) } }
