import Wire

/// The values that `proto-spec/vectors` was made from, put together here a second time.
enum Samples {
    static let milliseconds: UInt64 = 1_767_225_600_000
    static let time = HybridTime(milliseconds << 16 | 7)
    static let epoch = Epoch(3)
    static let cluster = ClusterID(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210)
    static let one = NodeID(0x1111_1111_1111_1111)
    static let two = NodeID(0x2222_2222_2222_2222)
    static let three = NodeID(0x3333_3333_3333_3333)

    static let node = PeerIdentity(
        role: .node, id: one, name: "n1", incarnation: milliseconds, address: "10.0.0.1:7000", zone: "a")
    static let gateway = PeerIdentity(
        role: .gateway, id: .none, name: "città", incarnation: .max, address: "", zone: "")

    static let hello = Hello(
        versionMin: 1, versionMax: 1, features: 0, purpose: .bulk, clusterName: "stormo", clusterID: .none,
        identity: node,
        nonce: Array(0...31))
    static let gatewayHello = Hello(
        versionMin: 1, versionMax: .max, features: .max, purpose: .client, clusterName: "stormo", clusterID: .none,
        identity: gateway, nonce: Array(0...31))
    static var challenge: Challenge {
        var identity = node
        identity.id = two
        identity.name = "n2"
        return Challenge(version: 1, features: 0, clusterID: cluster, identity: identity, nonce: (224...255).reversed())
    }

    static let ballot = Ballot(time: time, node: one)
    static let later = Ballot(time: time.next, node: two)
    static let valueCell = Cell(version: ballot, base: nil, content: .value(Array("hello".utf8)), expiryMs: nil)
    static let casCell = Cell(version: later, base: ballot, content: .value([]), expiryMs: 1_767_229_200_000)
    static let tombstone = Cell(version: later, base: .zero, content: .tombstone, expiryMs: nil)
    static let bareTombstone = Cell(version: later, base: nil, content: .tombstone, expiryMs: nil)

    static let ring = Ring(
        clusterID: cluster, epoch: Epoch(3), replicationFactor: 3,
        members: [
            RingMember(id: two, name: "n2", address: "10.0.0.2:7000", zone: "", virtualNodes: 1), firstMember,
        ])
    static let jointRing = Ring(
        clusterID: cluster, epoch: Epoch(4), layout: ring.layout,
        next: RingLayout(
            replicationFactor: 2,
            members: [
                firstMember,
                RingMember(id: three, name: "n3", address: "10.0.0.3:7000", zone: "b", virtualNodes: 1_024),
            ]),
        acceptors: [two])
    private static let firstMember = RingMember(
        id: one, name: "n1", address: "10.0.0.1:7000", zone: "a", virtualNodes: 64)
    static let range = TokenRange(after: .max - 9, through: 1 << 62)

    static let partition = PartitionID(topic: TopicID(0x00C0_FFEE_00C0_FFEE), index: 5)
    static let topic = TopicInfo(
        name: "drone.telemetry", id: TopicID(0x00C0_FFEE_00C0_FFEE),
        configuration: TopicConfiguration(partitions: 1, minInSync: 2, cleanup: .compact),
        partitions: [
            PartitionInfo(
                index: 0, epoch: 4, primary: one, replicas: [one, two], inSync: [one], firstOffset: 10,
                highWatermark: 1_003,
                bytes: 4_096)
        ])

    static let records = [
        Record(
            key: Array("drone-7".utf8), value: Array(#"{"soc":0.81}"#.utf8),
            headers: [Record.Header(name: "trace", value: [0x00, 0xFF])], timestampMs: milliseconds),
        Record(key: [], value: [0xFF], timestampMs: 0x0102_0304_0506_0708),
        Record(key: nil, value: [], timestampMs: 0x1112_1314_1516_1718),
    ]
    static let repetitive = (0..<20).map { index in
        Record(
            key: Array("meter-\(index % 4)".utf8),
            value: Array(#"{"meter":"meter-\#(index % 4)","watts":\#(1_000 + index)}"#.utf8),
            timestampMs: milliseconds + UInt64(index))
    }

    /// The batch of `records` as its producer sends it.
    static func sentBatch() throws -> RecordBatch { try RecordBatch(records: records, producerID: 9, sequence: 41) }

    /// The same as its primary keeps it.
    static func plainBatch() throws -> RecordBatch {
        var batch = try sentBatch()
        batch.baseOffset = 1_000
        batch.epoch = 2
        batch.appendedMs = UInt64(milliseconds) + 123
        return batch
    }

    static let producer = ProducerPosition(
        producerID: 9, sequence: 38, count: 3, baseOffset: 7, appendedMs: UInt64(milliseconds) + 122)
}
