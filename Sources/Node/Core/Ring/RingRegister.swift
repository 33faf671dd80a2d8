import Wire

/// The registers in which rings are decided: one for each epoch, written once, by the acceptors that the ring before names.
/// They are local keys, so they are in no range and no listing, and they go when their epoch has passed.
enum RingRegister {
    private static let prefix: [UInt8] = [0, 0] + Array("ring/".utf8)

    /// Where the ring of an epoch is decided.
    static func key(_ epoch: Epoch) -> Key { Key(prefix + Array(String(epoch.rawValue).utf8)) }

    /// Whether a key is such a register.
    static func isOne(_ key: Key) -> Bool { key.isLocal && key.bytes.starts(with: prefix) }
}
