import Glibc
import NIOCore

/// The options that every connection of ours is given.
enum SocketOptions {
    /// Connections that wait to be accepted: a whole cluster's clients may come back at once.
    static let backlog: Int32 = 1_024
    /// Seconds of silence after which the kernel asks whether the other host is there, and between such questions.
    static let keepaliveIdleSeconds = 30
    static let keepaliveIntervalSeconds = 10
    /// Unanswered questions after which the connection is given up.
    static let keepaliveProbes = 3

    /// TCP options with their values: no delay of small writes (frames are batched already), and dead hosts noticed.
    static let tcp: [(option: ChannelOptions.Types.SocketOption, value: Int)] = [
        (.tcpOption(.tcp_nodelay), 1),
        (.socketOption(.so_keepalive), 1),
        (.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPIDLE)), keepaliveIdleSeconds),
        (.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPINTVL)), keepaliveIntervalSeconds),
        (.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPCNT)), keepaliveProbes),
    ]

    /// When reading from a peer stops for its unread answers.
    static func waterMark(_ configuration: TransportConfiguration) -> ChannelOptions.Types.WriteBufferWaterMark {
        ChannelOptions.Types.WriteBufferWaterMark(
            low: configuration.writeLowMarkBytes, high: configuration.writeHighMarkBytes)
    }

    /// How large reads are: they grow with the traffic.
    static func allocator(_ configuration: TransportConfiguration) -> AdaptiveRecvByteBufferAllocator {
        AdaptiveRecvByteBufferAllocator(
            minimum: 1 << 10, initial: min(16 << 10, configuration.readBytesMax), maximum: configuration.readBytesMax)
    }
}
