package import Wire

/// Why a connection ended.
package enum CloseReason: Error, Hashable, Sendable, CustomStringConvertible {
    /// This side had no more use for it.
    case local(String)
    /// The other side closed it.
    case remote
    /// This side refused the peer and told it so.
    case refused(ErrorMessage)
    /// The peer refused this side.
    case refusedByPeer(ErrorMessage)
    /// The peer sent what is not the protocol.
    case malformed(WireError)
    /// The peer did not finish the handshake in time.
    case handshakeTimeout(milliseconds: Int64)
    /// The handshake was not finished when a newer connection needed its place.
    case displaced(handshakesMax: Int)
    /// The peer did not read what it was sent.
    case slowPeer(waitingBytes: Int, max: Int)
    /// The socket failed.
    case failed(String)

    /// One line for people.
    package var description: String {
        switch self {
        case .local(let why): "closed by this side: \(why)"
        case .remote: "closed by the other side"
        case .refused(let error): "refused it (\(error.code)): \(error.detail)"
        case .refusedByPeer(let error): "was refused (\(error.code)): \(error.detail)"
        case .malformed(let error): "not understood: \(error)"
        case .handshakeTimeout(let milliseconds): "no complete handshake within \(milliseconds) ms"
        case .displaced(let max): "made room for a newer one: \(max) handshakes at a time is the most"
        case .slowPeer(let waiting, let max):
            "\(waiting) bytes wait to be read by the other side, at most \(max) may: it hangs or is too slow"
        case .failed(let why): "the connection failed: \(why)"
        }
    }
}

/// Why a listener or a connection could not be had.
package enum TransportError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Another process listens there.
    case addressInUse(String)
    /// The address cannot be listened on.
    case cannotListen(String, reason: String)
    /// The text is no address.
    case invalidAddress(String)
    /// No TCP connection came about.
    case unreachable(String, reason: String)
    /// A TCP connection came about, but no handshake.
    case handshakeFailed(String, CloseReason)

    /// One line: what was found and what to do.
    package var description: String {
        switch self {
        case .addressInUse(let address):
            "\(address) is already in use: stop the other process or choose another --listen"
        case .cannotListen(let address, let reason):
            "cannot listen on \(address): \(reason); choose an address of this host and a port that is free"
        case .invalidAddress(let text):
            "'\(text)' is not an address: expected host:port, for example 127.0.0.1:7101 or [::1]:7101"
        case .unreachable(let address, let reason):
            "cannot connect to \(address): \(reason)"
        case .handshakeFailed(let address, let reason):
            switch reason {
            case .refusedByPeer(let error): "\(address) refused this side (\(error.code)): \(error.detail)"
            case .refused(let error): "refused \(address) (\(error.code)): \(error.detail)"
            case .remote: "\(address) closed the connection during the handshake: is it a Stormo node?"
            default: "handshake with \(address): \(reason)"
            }
        }
    }
}
