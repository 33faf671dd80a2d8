/// Why a request was refused, as a number that never changes its meaning.
public enum ErrorCode: UInt16, Sendable, Hashable, CaseIterable {
    /// A field is outside its range; nothing was done.
    case invalid = 1
    /// Too few replicas answered; nothing was done, or what was done will not be taken for done.
    case noQuorum = 2
    /// The write may or may not have been done, now or later.
    case outcomeUnknown = 3
    /// The sender's ring is older than this node's.
    case staleEpoch = 4
    /// The frame is older than `maxOperationAge`.
    case tooOld = 5
    /// The sender's clock is further ahead than `maxClockDrift`.
    case clockDrift = 6
    /// A queue is full; try again after a pause.
    case overloaded = 7
    /// There is no ring yet: the cluster has not been founded.
    case noRing = 8
    /// No topic of this name or id.
    case unknownTopic = 9
    /// The topic has fewer partitions.
    case partitionOutOfRange = 10
    /// This node is not the partition's primary; ask for the topic again.
    case notPrimary = 11
    /// The offset lies before the first one left, or beyond the end.
    case offsetOutOfRange = 12
    /// The primary has not yet committed what it inherited.
    case notReady = 13
    /// The node does not take writes (its disk is full or failed).
    case readOnly = 14
    /// The node is going down.
    case draining = 15
    /// A batch is damaged or lies about its content.
    case corruptBatch = 16
    /// A producer's sequence is not the next one.
    case sequenceGap = 17
    /// The node failed in a way that it did not expect; its log says more.
    case internalError = 18

    /// Another change of the ring is under way.
    case ringBusy = 19
    /// The change of the ring cannot be done safely, or makes no sense; nothing was changed.
    case ringRefused = 20
    /// The replica's copy is damaged or lost; it is being mended from the others.
    case notWhole = 21
    /// The replica lacks records that were acknowledged, or may lack some: it becomes primary only when that is accepted.
    case notInSync = 22

    // Refusals of the handshake.
    /// The cluster has another name or id.
    case wrongCluster = 32
    /// No common protocol version.
    case wrongVersion = 33
    /// The proof does not fit the cluster secret.
    case wrongSecret = 34
    /// A node of this id or name is already a member.
    case duplicateNode = 35
    /// The peer broke the rules of the handshake.
    case protocolViolation = 36
    /// Too many connections.
    case tooManyConnections = 37
}
