import HTTPTypes
import StormoClient
import Wire

/// What `If-Match` and `If-None-Match` ask of a write.
enum WriteCondition: Sendable, Hashable {
    /// Nothing.
    case none
    /// There must be no value (`If-None-Match: *`).
    case absent
    /// There must be a value (`If-Match: *`).
    case present
    /// The value must have this version; text that is no version matches nothing.
    case version(String)

    /// Reads the headers of a call.
    init(_ call: Call) throws(Problem) {
        switch (call.header(.ifMatch), call.header(.ifNoneMatch)) {
        case (nil, nil): self = .none
        case (_?, _?): throw .invalidParameter("If-None-Match", "cannot stand beside If-Match")
        case (nil, let header?):
            guard header.trimmingSpaces == "*" else {
                throw .invalidParameter("If-None-Match", "a write takes * only: the key must be absent")
            }
            self = .absent
        case (let header?, nil):
            switch EntityTag.expected(header) {
            case .any: self = .present
            case .version(let version): self = .version(version)
            case .never: self = .version("")
            case nil: throw .invalidParameter("If-Match", "expected one version in quotes, or *")
            }
        }
    }

    /// Makes a write under this condition; 412 with the present version when it does not hold.
    func apply(
        to key: Key, _ services: GatewayServices, _ write: (Condition) async throws(ClientError) -> WriteAnswer
    ) async throws -> WriteAnswer {
        switch self {
        case .none: return try await write(.none)
        case .absent: return try await checked(try await write(.absent))
        case .version(let text):
            guard let version = Ballot(text) else {
                throw Problem.preconditionFailed(version: try await services.client.get(key)?.version.description)
            }
            return try await checked(try await write(.version(version)))
        case .present:
            var current = try await services.client.get(key)
            for _ in 0..<services.configuration.limits.casAttemptsMax {
                guard let version = current?.version else { throw Problem.preconditionFailed(version: nil) }
                let answer = try await write(.version(version))
                if answer.applied { return answer }
                current = VersionedValue(answer.current)
            }
            services.metrics.count(.casContended)
            throw Problem.overloaded("others keep changing \(key)")
        }
    }

    private func checked(_ answer: WriteAnswer) async throws(Problem) -> WriteAnswer {
        guard answer.applied else {
            throw .preconditionFailed(version: VersionedValue(answer.current)?.version.description)
        }
        return answer
    }
}
