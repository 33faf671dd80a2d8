import Crypto
import Wire

/// The codes that prove the cluster secret: HMAC-SHA-256 (RFC 2104, FIPS 180-4) over the label of a direction and the
/// bodies of hello and challenge.
enum SecretMAC {
    /// The code of one direction, 32 bytes.
    static func code(secret: [UInt8], label: String, hello: Hello, challenge: Challenge) -> [UInt8] {
        var mac = HMAC<SHA256>(key: SymmetricKey(data: secret))
        mac.update(data: Array(label.utf8))
        mac.update(data: Message.hello(hello).encodedBody)
        mac.update(data: Message.challenge(challenge).encodedBody)
        return Array(mac.finalize())
    }

    /// Compares without telling by its duration where the first difference lies.
    static func equal(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard a.count == b.count else { return false }
        var difference: UInt8 = 0
        for (x, y) in zip(a, b) { difference |= x ^ y }
        return difference == 0
    }
}
