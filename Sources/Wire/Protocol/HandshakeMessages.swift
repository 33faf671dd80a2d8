/// The identity of a cluster, made when it was founded; all zero before.
public struct ClusterID: Hashable, Sendable, CustomStringConvertible {
    /// Upper half.
    public let high: UInt64
    /// Lower half.
    public let low: UInt64

    /// Puts an id together.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Not founded yet.
    public static let none = ClusterID(high: 0, low: 0)

    /// Thirty-two hexadecimal digits.
    public var description: String { Hex.fixed(high) + Hex.fixed(low) }
}

/// Who a peer is, as it says in its handshake.
public struct PeerIdentity: Hashable, Sendable {
    /// What it is.
    public var role: Role
    /// Its id; `none` for peers that hold no data.
    public var id: NodeID
    /// Its name, for people.
    public var name: String
    /// Raised at every start, so that a restarted node is told from its former run.
    public var incarnation: UInt64
    /// Where it can be reached (`host:port`); empty for peers that do not listen.
    public var address: String
    /// The failure domain it stands in; empty when not said.
    public var zone: String

    /// Puts an identity together.
    public init(role: Role, id: NodeID, name: String, incarnation: UInt64, address: String, zone: String = "") {
        self.role = role
        self.id = id
        self.name = name
        self.incarnation = incarnation
        self.address = address
        self.zone = zone
    }

    /// Appends the identity, as hello, challenge, cluster state and membership messages carry it.
    public func encode(into writer: inout ByteWriter) {
        writer.integer(role.rawValue)
        writer.integer(id.rawValue)
        writer.text(name)
        writer.integer(incarnation)
        writer.text(address)
        writer.text(zone)
    }

    /// Reads an identity.
    public init(from reader: inout ByteReader) throws(WireError) {
        role = try reader.raw("role", Role.self)
        id = NodeID(try reader.integer("node id"))
        name = try reader.text("node name")
        incarnation = try reader.integer("incarnation")
        address = try reader.text("address")
        zone = try reader.text("zone")
    }
}

/// First frame of the side that connects.
public struct Hello: Hashable, Sendable {
    /// Lowest protocol version it speaks.
    public var versionMin: UInt16
    /// Highest protocol version it speaks.
    public var versionMax: UInt16
    /// Optional features it would use, one bit each; none exist in version 1.
    public var features: UInt64
    /// What the connection is for.
    public var purpose: ConnectionPurpose
    /// The cluster's name as configured.
    public var clusterName: String
    /// The cluster's id when it has one already.
    public var clusterID: ClusterID
    /// Who it is.
    public var identity: PeerIdentity
    /// Thirty-two fresh random bytes.
    public var nonce: [UInt8]

    /// Puts a hello together.
    public init(
        versionMin: UInt16, versionMax: UInt16, features: UInt64, purpose: ConnectionPurpose, clusterName: String,
        clusterID: ClusterID, identity: PeerIdentity, nonce: [UInt8]
    ) {
        self.versionMin = versionMin
        self.versionMax = versionMax
        self.features = features
        self.purpose = purpose
        self.clusterName = clusterName
        self.clusterID = clusterID
        self.identity = identity
        self.nonce = nonce
    }

    func encode(into writer: inout ByteWriter) {
        writer.integer(versionMin)
        writer.integer(versionMax)
        writer.integer(features)
        writer.integer(purpose.rawValue)
        writer.text(clusterName)
        writer.clusterID(clusterID)
        identity.encode(into: &writer)
        writer.raw(nonce)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        versionMin = try reader.integer("lowest version")
        versionMax = try reader.integer("highest version")
        features = try reader.integer("features")
        purpose = try reader.raw("purpose", ConnectionPurpose.self)
        clusterName = try reader.text("cluster name")
        clusterID = try reader.clusterID()
        identity = try PeerIdentity(from: &reader)
        nonce = try reader.raw("nonce", count: Handshake.nonceBytes)
    }
}

/// The listening side's answer to a hello: what was agreed, who it is, and the nonce that the other side must prove
/// itself over.
public struct Challenge: Hashable, Sendable {
    /// The agreed version.
    public var version: UInt16
    /// The agreed features.
    public var features: UInt64
    /// The cluster's id, when there is one.
    public var clusterID: ClusterID
    /// Who answers.
    public var identity: PeerIdentity
    /// Thirty-two fresh random bytes.
    public var nonce: [UInt8]

    /// Puts a challenge together.
    public init(version: UInt16, features: UInt64, clusterID: ClusterID, identity: PeerIdentity, nonce: [UInt8]) {
        self.version = version
        self.features = features
        self.clusterID = clusterID
        self.identity = identity
        self.nonce = nonce
    }

    func encode(into writer: inout ByteWriter) {
        writer.integer(version)
        writer.integer(features)
        writer.clusterID(clusterID)
        identity.encode(into: &writer)
        writer.raw(nonce)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        version = try reader.integer("version")
        features = try reader.integer("features")
        clusterID = try reader.clusterID()
        identity = try PeerIdentity(from: &reader)
        nonce = try reader.raw("nonce", count: Handshake.nonceBytes)
    }
}

/// Proof of the cluster secret: HMAC-SHA-256 (RFC 2104) over a label for the direction and the bodies of hello and
/// challenge. The body of both `proof` (from the connecting side) and `welcome` (from the listening side).
public struct SecretProof: Hashable, Sendable {
    /// Thirty-two bytes.
    public var mac: [UInt8]

    /// Wraps a code.
    public init(mac: [UInt8]) { self.mac = mac }

    func encode(into writer: inout ByteWriter) { writer.raw(mac) }

    init(from reader: inout ByteReader) throws(WireError) {
        mac = try reader.raw("proof", count: Handshake.proofBytes)
    }
}

/// Constants of the handshake.
public enum Handshake {
    /// The version that this code speaks.
    public static let version: UInt16 = 1
    /// Length of a nonce.
    public static let nonceBytes = 32
    /// Length of a proof.
    public static let proofBytes = 32
    /// Label of the connecting side's proof.
    public static let connectorLabel = "stormo/1 connector"
    /// Label of the listening side's proof: another one, so that no proof can be reflected.
    public static let listenerLabel = "stormo/1 listener"
}

/// A refusal. Answers any request; before the handshake is done it is the last frame of the connection.
public struct ErrorMessage: Hashable, Sendable {
    /// The machine's word.
    public var code: ErrorCode
    /// One line for people: what was found, what was expected, what to do.
    public var detail: String

    /// Puts a refusal together; a longer detail is cut.
    public init(code: ErrorCode, detail: String) {
        self.code = code
        self.detail = String(detail.cut(toBytes: WireLimits.detailBytesMax))
    }

    func encode(into writer: inout ByteWriter) {
        writer.integer(code.rawValue)
        writer.text(detail)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        code = try reader.raw("error code", ErrorCode.self)
        detail = try reader.text("detail", max: WireLimits.detailBytesMax)
    }
}
