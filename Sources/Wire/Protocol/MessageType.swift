/// The number of a message on the wire. Numbers never change their meaning; retired ones stay reserved.
public enum MessageType: UInt16, Sendable, Hashable, CaseIterable {
    // Handshake and errors.
    case hello = 1
    case challenge = 2
    case proof = 3
    case welcome = 4
    case error = 5

    // The cluster as a whole.
    case clusterRequest = 16
    case clusterState = 17
    case statsRequest = 18
    case stats = 19

    // Keys, between a client and the coordinator.
    case readRequest = 32
    case readAnswer = 33
    case writeRequest = 34
    case writeAnswer = 35
    case scanRequest = 36
    case scanAnswer = 37
    case watchRequest = 38
    case watchAnswer = 39

    // Topics, between a client and a node.
    case createTopic = 48
    case describeTopics = 49
    case topics = 50
    case deleteTopic = 51
    case deleted = 52
    case produce = 53
    case produced = 54
    case fetch = 55
    case fetched = 56
    case offsetRequest = 57
    case offsetAnswer = 58
    case alterTopic = 59
    case electPrimary = 60
    case elected = 61

    // Keys, between the coordinator and the replicas.
    case prepare = 64
    case promise = 65
    case accept = 66
    case accepted = 67
    case refused = 68
    case replicaRead = 69
    case replicaState = 70
    case replicaScan = 71
    case replicaPage = 72
    case subscribe = 73
    case subscribed = 74
    case changedKeys = 75

    // Topics, between a primary and its secondaries.
    case append = 80
    case appended = 81
    case reconfigured = 82

    // The ring and the membership.
    case found = 96
    case founded = 97
    case gossip = 98
    case ringRequest = 99
    case ringState = 100
    case held = 101
    case changeRing = 102
    case ringPlan = 103
    case forgetMember = 104
    case done = 105

    // Copies and comparisons between replicas.
    case rangeRequest = 112
    case rangePage = 113
    case treeRequest = 114
    case tree = 115
    case collect = 116
    case collected = 117
    case repairRequest = 118
    case repairStatus = 119

    /// The greatest body that this message may have, in bytes, after decompression. It is checked against the header
    /// before a byte of the body is read.
    public var bodyBytesMax: Int {
        switch self {
        case .hello, .challenge, .proof, .welcome, .error: WireLimits.handshakeBytesMax
        case .gossip: WireLimits.gossipBytesMax
        case .clusterRequest, .statsRequest, .ringRequest, .held, .done, .repairRequest, .repairStatus, .subscribed,
            .offsetRequest, .offsetAnswer, .elected, .reconfigured:
            64
        case .watchRequest, .subscribe, .rangeRequest, .treeRequest, .changeRing, .forgetMember,
            .electPrimary:
            WireLimits.handshakeBytesMax
        case .readRequest, .replicaRead, .prepare, .promise, .refused, .replicaScan, .scanRequest, .fetch,
            .describeTopics,
            .createTopic, .alterTopic, .deleteTopic, .deleted, .produced, .appended, .founded:
            // Keys and names, with room for the cell that a promise carries.
            WireLimits.valueBytesMax + WireLimits.handshakeBytesMax
        default: WireLimits.frameBytesMax
        }
    }
}
