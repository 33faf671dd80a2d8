import WireTransport

/// The cluster secret: what every node, gateway and agent of one cluster proves to know. It is never an argument, since
/// every user of the machine can read those.
enum ClusterSecret {
    /// Allowed length in bytes: sixteen random bytes cannot be guessed; a kibibyte is more than anyone needs.
    static let bytesRange = 16...1_024

    /// The secret by `secret-file`, or by `STORMO_SECRET`; nil when neither is given. A line end behind it does not
    /// count.
    static func load(_ settings: ResolvedSettings) throws(ConfigurationError) -> [UInt8]? {
        if let path = try settings.optional(CommonSettings.secretFile) { return try read(path: path) }
        guard let text = try settings.optional(CommonSettings.secret) else { return nil }
        return try checked(Array(text.utf8), origin: CommonSettings.secret.definition.variable)
    }

    /// Reads the secret from a file.
    static func read(path: String) throws(ConfigurationError) -> [UInt8] {
        let bytes: [UInt8]
        do { bytes = try Files.read(path, bytesMax: bytesRange.upperBound + 2) } catch {
            throw .refused("secret file \(path): \(error.reason)")
        }
        return try checked(bytes, origin: path)
    }

    /// Throws unless what listens there may do so: beyond this machine only with a secret.
    static func require(_ secret: [UInt8]?, toListenOn address: HostPort) throws(ConfigurationError) {
        guard secret == nil, !address.isLoopback else { return }
        throw .refused(
            "listening on \(address) needs a cluster secret, since other machines can reach it: give --secret-file FILE or "
                + "STORMO_SECRET (make one with: openssl rand -hex 32), or listen on 127.0.0.1")
    }

    /// A secret without the line end behind it; throws when it is too short or too long.
    static func checked(_ bytes: [UInt8], origin: String) throws(ConfigurationError) -> [UInt8] {
        var secret = bytes[...]
        while let last = secret.last, last == 0x0A || last == 0x0D { secret.removeLast() }
        guard bytesRange.contains(secret.count) else {
            throw .refused(
                "the cluster secret (\(origin)) has \(secret.count) bytes: expected \(bytesRange.lowerBound) to "
                    + "\(bytesRange.upperBound); make one with: openssl rand -hex 32")
        }
        return Array(secret)
    }
}
