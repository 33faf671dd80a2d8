import StormoClient
import Wire

/// The key that signs tokens: one for all gateways, kept in the cluster, made by whoever needs it first.
enum SigningKey {
    /// Where it is.
    static let key = Key.system("gateway/signing-key")
    /// 256 bits, as HS256 wants.
    static let bytes = 32
    /// Tries when the outcome of making it is not known.
    private static let attemptsMax = 4

    /// The key; made when there is none, the same for every caller.
    static func load(from client: StormoClient) async throws(ClientError) -> [UInt8] {
        var unknown = ClientError.outcomeUnknown("not tried")
        for _ in 0..<attemptsMax {
            if let stored = try await client.get(key) { return stored.value }
            var generator = SystemRandomNumberGenerator()
            let fresh = (0..<bytes).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            do {
                let answer = try await client.compareAndSet(key, fresh, if: .absent)
                if answer.applied { return fresh }
                if let stored = VersionedValue(answer.current) { return stored.value }
            } catch {
                guard case .outcomeUnknown = error else { throw error }
                unknown = error
            }
        }
        throw unknown
    }
}
