import Crypto
import CryptoExtras
import FoundationEssentials

/// A password as it may be kept: its scrypt key (RFC 7914) with salt and cost, as text in the PHC form
/// `$scrypt$ln=15,r=8,p=1$salt$key` (base 64 without padding).
package struct PasswordHash: Sendable, Hashable {
    private let logRounds: Int
    private let blockSize: Int
    private let parallelism: Int
    private let salt: [UInt8]
    private let key: [UInt8]

    /// 2^15 blocks of 1 KiB: 32 MiB and about a tenth of a second, which makes guessing slow and signing in bearable.
    private static let logRounds = 15
    /// Beyond 64 MiB a few sign-ins at once could exhaust a small host.
    private static let logRoundsRange = 10...16
    /// The longest password, in bytes.
    package static let passwordBytesMax = 1_024

    /// Hashes a password under a fresh salt. Takes a tenth of a second. Nil for an empty one or one that is too long.
    package init?(password: String) {
        var generator = SystemRandomNumberGenerator()
        let salt = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        guard let key = Self.derive(password, salt, Self.logRounds, 8, 1) else { return nil }
        logRounds = Self.logRounds
        blockSize = 8
        parallelism = 1
        self.salt = salt
        self.key = key
    }

    /// Reads back what `description` wrote; nil for any other text.
    package init?(_ text: String) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt" else { return nil }
        var costs: [Substring: Int] = [:]
        for part in parts[2].split(separator: ",") {
            let halves = part.split(separator: "=")
            guard halves.count == 2, let value = Int(halves[1]) else { return nil }
            costs[halves[0]] = value
        }
        guard let logRounds = costs["ln"], Self.logRoundsRange.contains(logRounds), let blockSize = costs["r"],
            blockSize == 8,
            let parallelism = costs["p"], (1...4).contains(parallelism), let salt = Self.bytes(parts[3]),
            salt.count >= 8,
            let key = Self.bytes(parts[4]), key.count == 32
        else { return nil }
        self.logRounds = logRounds
        self.blockSize = blockSize
        self.parallelism = parallelism
        self.salt = salt
        self.key = key
    }

    /// Whether the hash was made of this password. Takes as long as hashing it.
    package func matches(_ password: String) -> Bool {
        guard let found = Self.derive(password, salt, logRounds, blockSize, parallelism) else { return false }
        return ConstantTime.areEqual(found, key)
    }

    private static func derive(_ password: String, _ salt: [UInt8], _ logRounds: Int, _ r: Int, _ p: Int) -> [UInt8]? {
        let bytes = Array(password.utf8)
        guard (1...passwordBytesMax).contains(bytes.count) else { return nil }
        let key = try? KDF.Scrypt.deriveKey(
            from: bytes, salt: salt, outputByteCount: 32, rounds: 1 << logRounds, blockSize: r, parallelism: p)
        return key?.withUnsafeBytes { Array($0) }
    }

    private static func bytes(_ text: Substring) -> [UInt8]? {
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        return Data(base64Encoded: text + padding).map(Array.init)
    }
}

extension PasswordHash: CustomStringConvertible {
    /// The text to keep in a configuration.
    package var description: String {
        func text(_ bytes: [UInt8]) -> String {
            var text = Data(bytes).base64EncodedString()
            while text.hasSuffix("=") { text.removeLast() }
            return text
        }
        return "$scrypt$ln=\(logRounds),r=\(blockSize),p=\(parallelism)$\(text(salt))$\(text(key))"
    }
}

/// Comparison of secrets in a time that does not tell where they differ.
enum ConstantTime {
    /// Whether two byte strings are equal.
    static func areEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        // Digests have one length, so the length of the secret does not show either.
        let a = Array(SHA256.hash(data: a))
        let b = Array(SHA256.hash(data: b))
        var difference: UInt8 = 0
        for index in a.indices { difference |= a[index] ^ b[index] }
        return difference == 0
    }

    /// Whether two texts are equal.
    static func areEqual(_ a: String, _ b: String) -> Bool { areEqual(Array(a.utf8), Array(b.utf8)) }
}

/// Somebody who may sign in.
package struct GatewayUser: Sendable, Hashable {
    /// The name to sign in with.
    package let name: String
    /// What they may.
    package let role: AccessRole
    /// Their password's hash.
    package let password: PasswordHash

    /// A user of a configuration.
    package init(name: String, role: AccessRole, password: PasswordHash) {
        self.name = name
        self.role = role
        self.password = password
    }
}
