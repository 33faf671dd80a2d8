/// The content of a frame.
public enum Message: Hashable, Sendable {
    /// Opens a connection.
    case hello(Hello)
    /// Answers a hello.
    case challenge(Challenge)
    /// The connecting side knows the secret.
    case proof(SecretProof)
    /// The listening side knows it too; the connection is open.
    case welcome(SecretProof)
    /// A refusal.
    case error(ErrorMessage)
    /// Asks for the ring and the members.
    case clusterRequest
    /// The ring and the members.
    case clusterState(ClusterState)
    /// Asks for a node's figures.
    case statsRequest
    /// A node's figures.
    case stats(NodeStatistics)
    /// Asks a coordinator for a value.
    case readRequest(ReadRequest)
    /// The value.
    case readAnswer(ReadAnswer)
    /// Asks a coordinator for a change.
    case writeRequest(WriteRequest)
    /// What became of it.
    case writeAnswer(WriteAnswer)
    /// Asks a coordinator for a page of keys.
    case scanRequest(ScanRequest)
    /// The page.
    case scanAnswer(ScanAnswer)
    /// Makes a topic.
    case createTopic(CreateTopic)
    /// Asks for topics.
    case describeTopics(DescribeTopics)
    /// Descriptions of topics.
    case topics(Topics)
    /// Removes the named topic.
    case deleteTopic(DescribeTopics)
    /// It is removed.
    case deleted
    /// Appends a batch.
    case produce(Produce)
    /// It is durable.
    case produced(Produced)
    /// Asks for records.
    case fetch(Fetch)
    /// Records.
    case fetched(Fetched)
    /// Asks where something is in a partition.
    case offsetRequest(OffsetRequest)
    /// Where it is.
    case offsetAnswer(OffsetAnswer)
    /// Adds partitions to a topic, and changes how it is kept.
    case alterTopic(CreateTopic)
    /// Makes a node the primary of a partition.
    case electPrimary(ElectPrimary)
    /// It is to be the primary.
    case elected(Elected)
    /// Phase 1 of a register's change.
    case prepare(Prepare)
    /// Its yes.
    case promise(ReplicaState)
    /// Phase 2.
    case accept(Accept)
    /// Its yes.
    case accepted(AcceptedReply)
    /// The no to either.
    case refused(RefusedReply)
    /// Asks a replica for its own copy.
    case replicaRead(ReadRequest)
    /// The copy.
    case replicaState(ReplicaState)
    /// Asks a replica for its own page of keys.
    case replicaScan(ScanRequest)
    /// The page.
    case replicaPage(ReplicaPage)
    /// Ships batches to a secondary.
    case append(Append)
    /// Its answer.
    case appended(Appended)
    /// The configuration of a partition has changed.
    case reconfigured(Reconfigured)
    /// Proposes the first ring.
    case found(Found)
    /// The vote.
    case founded(Founded)
    /// Asks a coordinator for what changes under a prefix.
    case watchRequest(WatchRequest)
    /// What has changed.
    case watchAnswer(WatchAnswer)
    /// Tells a replica of an interest in a prefix.
    case subscribe(Subscribe)
    /// Its answer.
    case subscribed(Subscribed)
    /// Keys that a replica has accepted something for.
    case changedKeys(ChangedKeys)
    /// Asks a node for its ring.
    case ringRequest
    /// The ring.
    case ringState(RingState)
    /// A new owner has everything.
    case held(Held)
    /// Changes the ring.
    case changeRing(ChangeRing)
    /// What the change does.
    case ringPlan(RingPlan)
    /// Forgets a member that is dead or has left.
    case forgetMember(ForgetMember)
    /// It is done.
    case done
    /// Asks a replica for its registers of a range.
    case rangeRequest(RangeRequest)
    /// The registers.
    case rangePage(RangePage)
    /// Asks a replica for the Merkle tree of a range.
    case treeRequest(TreeRequest)
    /// The tree.
    case tree(Tree)
    /// Cells to be dropped for good.
    case collect(Collect)
    /// A replica's word on them.
    case collected(Collected)
    /// Begins a repair, or asks how far it is.
    case repairRequest(RepairRequest)
    /// How far it is.
    case repairStatus(RepairStatus)
    /// A message of the membership, encoded there.
    case gossip([UInt8])

    /// Its number on the wire.
    public var type: MessageType {
        switch self {
        case .hello: .hello
        case .challenge: .challenge
        case .proof: .proof
        case .welcome: .welcome
        case .error: .error
        case .clusterRequest: .clusterRequest
        case .clusterState: .clusterState
        case .statsRequest: .statsRequest
        case .stats: .stats
        case .readRequest: .readRequest
        case .readAnswer: .readAnswer
        case .writeRequest: .writeRequest
        case .writeAnswer: .writeAnswer
        case .scanRequest: .scanRequest
        case .scanAnswer: .scanAnswer
        case .createTopic: .createTopic
        case .describeTopics: .describeTopics
        case .topics: .topics
        case .deleteTopic: .deleteTopic
        case .deleted: .deleted
        case .produce: .produce
        case .produced: .produced
        case .fetch: .fetch
        case .fetched: .fetched
        case .offsetRequest: .offsetRequest
        case .offsetAnswer: .offsetAnswer
        case .alterTopic: .alterTopic
        case .electPrimary: .electPrimary
        case .elected: .elected
        case .prepare: .prepare
        case .promise: .promise
        case .accept: .accept
        case .accepted: .accepted
        case .refused: .refused
        case .replicaRead: .replicaRead
        case .replicaState: .replicaState
        case .replicaScan: .replicaScan
        case .replicaPage: .replicaPage
        case .append: .append
        case .appended: .appended
        case .reconfigured: .reconfigured
        case .found: .found
        case .founded: .founded
        case .watchRequest: .watchRequest
        case .watchAnswer: .watchAnswer
        case .subscribe: .subscribe
        case .subscribed: .subscribed
        case .changedKeys: .changedKeys
        case .ringRequest: .ringRequest
        case .ringState: .ringState
        case .held: .held
        case .changeRing: .changeRing
        case .ringPlan: .ringPlan
        case .forgetMember: .forgetMember
        case .done: .done
        case .rangeRequest: .rangeRequest
        case .rangePage: .rangePage
        case .treeRequest: .treeRequest
        case .tree: .tree
        case .collect: .collect
        case .collected: .collected
        case .repairRequest: .repairRequest
        case .repairStatus: .repairStatus
        case .gossip: .gossip
        }
    }

    /// Whether compressing the body can be worth it: batches are compressed already.
    var isCompressible: Bool {
        switch self {
        case .produce, .fetched, .append: false
        default: true
        }
    }

    /// The body alone, uncompressed: what the handshake's proofs are computed over.
    package var encodedBody: [UInt8] {
        var writer = ByteWriter()
        encode(into: &writer)
        return writer.bytes
    }

    /// Appends the body.
    func encode(into writer: inout ByteWriter) {
        switch self {
        case .hello(let body): body.encode(into: &writer)
        case .challenge(let body): body.encode(into: &writer)
        case .proof(let body): body.encode(into: &writer)
        case .welcome(let body): body.encode(into: &writer)
        case .error(let body): body.encode(into: &writer)
        case .clusterRequest: break
        case .clusterState(let body): body.encode(into: &writer)
        case .statsRequest: break
        case .stats(let body): body.encode(into: &writer)
        case .readRequest(let body): body.encode(into: &writer)
        case .readAnswer(let body): body.encode(into: &writer)
        case .writeRequest(let body): body.encode(into: &writer)
        case .writeAnswer(let body): body.encode(into: &writer)
        case .scanRequest(let body): body.encode(into: &writer)
        case .scanAnswer(let body): body.encode(into: &writer)
        case .createTopic(let body): body.encode(into: &writer)
        case .describeTopics(let body): body.encode(into: &writer)
        case .topics(let body): body.encode(into: &writer)
        case .deleteTopic(let body): body.encode(into: &writer)
        case .deleted: break
        case .produce(let body): body.encode(into: &writer)
        case .produced(let body): body.encode(into: &writer)
        case .fetch(let body): body.encode(into: &writer)
        case .fetched(let body): body.encode(into: &writer)
        case .offsetRequest(let body): body.encode(into: &writer)
        case .offsetAnswer(let body): body.encode(into: &writer)
        case .alterTopic(let body): body.encode(into: &writer)
        case .electPrimary(let body): body.encode(into: &writer)
        case .elected(let body): body.encode(into: &writer)
        case .prepare(let body): body.encode(into: &writer)
        case .promise(let body): body.encode(into: &writer)
        case .accept(let body): body.encode(into: &writer)
        case .accepted(let body): body.encode(into: &writer)
        case .refused(let body): body.encode(into: &writer)
        case .replicaRead(let body): body.encode(into: &writer)
        case .replicaState(let body): body.encode(into: &writer)
        case .replicaScan(let body): body.encode(into: &writer)
        case .replicaPage(let body): body.encode(into: &writer)
        case .append(let body): body.encode(into: &writer)
        case .appended(let body): body.encode(into: &writer)
        case .reconfigured(let body): body.encode(into: &writer)
        case .found(let body): body.encode(into: &writer)
        case .founded(let body): body.encode(into: &writer)
        case .watchRequest(let body): body.encode(into: &writer)
        case .watchAnswer(let body): body.encode(into: &writer)
        case .subscribe(let body): body.encode(into: &writer)
        case .subscribed(let body): body.encode(into: &writer)
        case .changedKeys(let body): body.encode(into: &writer)
        case .ringRequest: break
        case .ringState(let body): body.encode(into: &writer)
        case .held(let body): body.encode(into: &writer)
        case .changeRing(let body): body.encode(into: &writer)
        case .ringPlan(let body): body.encode(into: &writer)
        case .forgetMember(let body): body.encode(into: &writer)
        case .done: break
        case .rangeRequest(let body): body.encode(into: &writer)
        case .rangePage(let body): body.encode(into: &writer)
        case .treeRequest(let body): body.encode(into: &writer)
        case .tree(let body): body.encode(into: &writer)
        case .collect(let body): body.encode(into: &writer)
        case .collected(let body): body.encode(into: &writer)
        case .repairRequest(let body): body.encode(into: &writer)
        case .repairStatus(let body): body.encode(into: &writer)
        case .gossip(let bytes): writer.raw(bytes)
        }
    }

    /// Reads the body of a type.
    init(_ type: MessageType, from reader: inout ByteReader) throws(WireError) {
        switch type {
        case .hello: self = .hello(try Hello(from: &reader))
        case .challenge: self = .challenge(try Challenge(from: &reader))
        case .proof: self = .proof(try SecretProof(from: &reader))
        case .welcome: self = .welcome(try SecretProof(from: &reader))
        case .error: self = .error(try ErrorMessage(from: &reader))
        case .clusterRequest: self = .clusterRequest
        case .clusterState: self = .clusterState(try ClusterState(from: &reader))
        case .statsRequest: self = .statsRequest
        case .stats: self = .stats(try NodeStatistics(from: &reader))
        case .readRequest: self = .readRequest(try ReadRequest(from: &reader))
        case .readAnswer: self = .readAnswer(try ReadAnswer(from: &reader))
        case .writeRequest: self = .writeRequest(try WriteRequest(from: &reader))
        case .writeAnswer: self = .writeAnswer(try WriteAnswer(from: &reader))
        case .scanRequest: self = .scanRequest(try ScanRequest(from: &reader))
        case .scanAnswer: self = .scanAnswer(try ScanAnswer(from: &reader))
        case .createTopic: self = .createTopic(try CreateTopic(from: &reader))
        case .describeTopics: self = .describeTopics(try DescribeTopics(from: &reader))
        case .topics: self = .topics(try Topics(from: &reader))
        case .deleteTopic: self = .deleteTopic(try DescribeTopics(from: &reader))
        case .deleted: self = .deleted
        case .produce: self = .produce(try Produce(from: &reader))
        case .produced: self = .produced(try Produced(from: &reader))
        case .fetch: self = .fetch(try Fetch(from: &reader))
        case .fetched: self = .fetched(try Fetched(from: &reader))
        case .offsetRequest: self = .offsetRequest(try OffsetRequest(from: &reader))
        case .offsetAnswer: self = .offsetAnswer(try OffsetAnswer(from: &reader))
        case .alterTopic: self = .alterTopic(try CreateTopic(from: &reader))
        case .electPrimary: self = .electPrimary(try ElectPrimary(from: &reader))
        case .elected: self = .elected(try Elected(from: &reader))
        case .prepare: self = .prepare(try Prepare(from: &reader))
        case .promise: self = .promise(try ReplicaState(from: &reader))
        case .accept: self = .accept(try Accept(from: &reader))
        case .accepted: self = .accepted(try AcceptedReply(from: &reader))
        case .refused: self = .refused(try RefusedReply(from: &reader))
        case .replicaRead: self = .replicaRead(try ReadRequest(from: &reader))
        case .replicaState: self = .replicaState(try ReplicaState(from: &reader))
        case .replicaScan: self = .replicaScan(try ScanRequest(from: &reader))
        case .replicaPage: self = .replicaPage(try ReplicaPage(from: &reader))
        case .append: self = .append(try Append(from: &reader))
        case .appended: self = .appended(try Appended(from: &reader))
        case .reconfigured: self = .reconfigured(try Reconfigured(from: &reader))
        case .found: self = .found(try Found(from: &reader))
        case .founded: self = .founded(try Founded(from: &reader))
        case .watchRequest: self = .watchRequest(try WatchRequest(from: &reader))
        case .watchAnswer: self = .watchAnswer(try WatchAnswer(from: &reader))
        case .subscribe: self = .subscribe(try Subscribe(from: &reader))
        case .subscribed: self = .subscribed(try Subscribed(from: &reader))
        case .changedKeys: self = .changedKeys(try ChangedKeys(from: &reader))
        case .ringRequest: self = .ringRequest
        case .ringState: self = .ringState(try RingState(from: &reader))
        case .held: self = .held(try Held(from: &reader))
        case .changeRing: self = .changeRing(try ChangeRing(from: &reader))
        case .ringPlan: self = .ringPlan(try RingPlan(from: &reader))
        case .forgetMember: self = .forgetMember(try ForgetMember(from: &reader))
        case .done: self = .done
        case .rangeRequest: self = .rangeRequest(try RangeRequest(from: &reader))
        case .rangePage: self = .rangePage(try RangePage(from: &reader))
        case .treeRequest: self = .treeRequest(try TreeRequest(from: &reader))
        case .tree: self = .tree(try Tree(from: &reader))
        case .collect: self = .collect(try Collect(from: &reader))
        case .collected: self = .collected(try Collected(from: &reader))
        case .repairRequest: self = .repairRequest(try RepairRequest(from: &reader))
        case .repairStatus: self = .repairStatus(try RepairStatus(from: &reader))
        case .gossip: self = .gossip(reader.rest())
        }
    }
}
