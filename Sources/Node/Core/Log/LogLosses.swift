package import Wire

/// How often a node lost its logs, as `NodeFact.logsLost` keeps it: it is part of the ids of the logs that come after,
/// so that no in-sync set takes an empty log for the one that was lost.
package enum LogLosses {
    /// The fact's value.
    package static func encode(_ count: UInt64) -> [UInt8] {
        var writer = ByteWriter(capacity: 8)
        writer.integer(count)
        return writer.bytes
    }

    /// The number in a fact's value; 0 without one.
    package static func decode(_ value: [UInt8]?) -> UInt64 {
        guard let value else { return 0 }
        return value.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            return (try? reader.integer("losses of logs")) ?? 0
        }
    }
}
