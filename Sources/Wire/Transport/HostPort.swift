/// An address as people write it: `host:port`, or `[address]:port` for IPv6.
package struct HostPort: Hashable, Sendable, CustomStringConvertible {
    /// A name or an IP address, without brackets.
    package let host: String
    /// 0 to 65,535; 0 asks for any free port when listening.
    package let port: Int

    /// Puts an address together.
    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads an address; throws `invalidAddress`.
    package init(_ text: String) throws(TransportError) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw .invalidAddress(text)
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw .invalidAddress(text)
        }
        guard !host.isEmpty else { throw .invalidAddress(text) }
        self.init(host: String(host), port: Int(port))
    }

    /// The text that `init(_:)` reads.
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
