import Wire

/// The addresses of other nodes as kept on disk.
enum KnownPeers {
    static func encode(_ addresses: [String]) -> [UInt8] {
        var writer = ByteWriter()
        writer.list(addresses.sorted()) { $0.text($1) }
        return writer.bytes
    }

    /// None when the bytes are not a list: the seeds are enough to go on.
    static func decode(_ bytes: [UInt8]) -> [String] {
        bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            return
                (try? reader.list("peers", max: WireLimits.ringMembersMax, minBytes: 2) { reader throws(WireError) in
                    try reader.text("peer")
                }) ?? []
        }
    }
}
