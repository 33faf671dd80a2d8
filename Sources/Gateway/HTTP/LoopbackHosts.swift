/// Which names and addresses mean this host, and which `Host` headers a gateway on loopback takes.
enum LoopbackHosts {
    /// Whether a listening address is reached from this host only.
    static func isLoopback(_ host: String) -> Bool {
        switch host.lowercased() {
        case "localhost", "::1", "[::1]": return true
        case let host:
            let parts = host.split(separator: ".", omittingEmptySubsequences: false)
            return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
        }
    }

    /// Whether the `Host` header of a request names this host, or one of the further names that are allowed. A page of
    /// another name that was made to resolve to loopback (DNS rebinding) is told by its name.
    static func accepts(_ header: String, allowed: [String]) -> Bool {
        let name = hostName(header).lowercased()
        return isLoopback(name)
            || allowed.contains { $0.lowercased() == name || $0.lowercased() == header.lowercased() }
    }

    /// The name in `name:port`, `[address]:port`, or either without the port.
    static func hostName(_ header: String) -> String {
        if header.hasPrefix("["), let end = header.firstIndex(of: "]") {
            return String(header[header.index(after: header.startIndex)..<end])
        }
        return String(header.prefix { $0 != ":" })
    }
}
