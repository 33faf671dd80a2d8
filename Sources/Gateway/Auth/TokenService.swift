import FoundationEssentials
import JWTKit
import StormoClient

/// Makes and checks the tokens of `/login`: JSON Web Tokens (RFC 7519) signed with HMAC SHA-256.
actor TokenService {
    private struct Payload: JWTPayload {
        var iss: IssuerClaim
        var sub: SubjectClaim
        var role: String
        var iat: IssuedAtClaim
        var exp: ExpirationClaim

        func verify(using algorithm: some JWTAlgorithm) async throws {
            try exp.verifyNotExpired()
            guard iss.value == TokenService.issuer else {
                throw JWTError.claimVerificationFailure(failedClaim: iss, reason: "another issuer")
            }
        }
    }

    private struct Remembered {
        let name: String
        let expires: Date
    }

    private static let issuer = "stormo"

    private let loadKey: @Sendable () async throws(ClientError) -> [UInt8]
    private let lifetimeSeconds: Int
    private let rememberedMax: Int
    private var keys: JWTKeyCollection?
    private var remembered: [String: Remembered] = [:]

    /// Tokens signed with the key that `loadKey` gives; it is asked until it has given one.
    init(
        lifetimeSeconds: Int, rememberedMax: Int, loadKey: @escaping @Sendable () async throws(ClientError) -> [UInt8]
    ) {
        self.lifetimeSeconds = lifetimeSeconds
        self.rememberedMax = rememberedMax
        self.loadKey = loadKey
    }

    /// Fetches the signing key, when that has not been done.
    func prepare() async throws(ClientError) { _ = try await signingKeys() }

    private func signingKeys() async throws(ClientError) -> JWTKeyCollection {
        if let keys { return keys }
        let bytes = try await loadKey()
        let collection = JWTKeyCollection()
        await collection.add(hmac: HMACKey(from: bytes), digestAlgorithm: .sha256)
        keys = collection
        return collection
    }

    /// A token for a user.
    func issue(to user: GatewayUser, now: Date = Date()) async throws -> String {
        let keys = try await signingKeys()
        let payload = Payload(
            iss: IssuerClaim(value: Self.issuer), sub: SubjectClaim(value: user.name), role: user.role.name,
            iat: IssuedAtClaim(value: now), exp: ExpirationClaim(value: now.addingTimeInterval(Double(lifetimeSeconds)))
        )
        return try await keys.sign(payload)
    }

    /// The name a good token was made out to; nil for a token that is not good.
    func name(in token: String, now: Date = Date()) async throws(ClientError) -> String? {
        if let known = remembered[token] {
            if known.expires > now { return known.name }
            remembered[token] = nil
            return nil
        }
        // A token of ours is far shorter; the rest is not worth a signature.
        guard token.utf8.count <= 4_096, token.utf8.count(where: { $0 == UInt8(ascii: ".") }) == 2 else { return nil }
        let keys = try await signingKeys()
        guard let payload = try? await keys.verify(token, as: Payload.self) else { return nil }
        if remembered.count >= rememberedMax { remembered.removeAll(keepingCapacity: true) }
        remembered[token] = Remembered(name: payload.sub.value, expires: payload.exp.value)
        return payload.sub.value
    }
}
