import WireTransport

extension HostPort {
    /// Whether only this machine can reach it.
    var isLoopback: Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// Whether it stands for every address of the machine, so that nobody can be told to connect to it.
    var isWildcard: Bool { host == "0.0.0.0" || host == "::" }

    /// Reads `host:port` as people give it; nil when it is none.
    init?(given text: String) {
        guard let address = try? HostPort(text),
            address.host.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || ".-_:%".contains($0)) })
        else { return nil }
        self = address
    }
}
