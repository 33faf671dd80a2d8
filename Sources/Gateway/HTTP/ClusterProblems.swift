import Fleet
import FleetRules
import HTTPTypes
import StormoClient
import Wire

extension Problem {
    /// What a client of HTTP is told when the cluster did not do it.
    init(_ error: ClientError) {
        switch error {
        case .noQuorum(let detail):
            self.init(
                .serviceUnavailable, "no_quorum", "Too few replicas answered", "\(detail); nothing was changed",
                retryAfterSeconds: 1)
        case .outcomeUnknown(let detail):
            // Without Retry-After: a proxy must not repeat a write that may have been done.
            self.init(
                .gatewayTimeout, "outcome_unknown", "The result of the write is not known",
                "\(detail); read before you write again")
        case .unreachable(let detail):
            self.init(.serviceUnavailable, "unreachable", "The cluster cannot be reached", detail, retryAfterSeconds: 1)
        case .overloaded(let detail): self = .overloaded(detail)
        case .closed:
            self.init(
                .serviceUnavailable, "shutting_down", "The gateway is going down", "ask another gateway",
                retryAfterSeconds: 1)
        case .refused(let code, let detail): self.init(refusal: code, detail)
        }
    }

    private init(refusal code: ErrorCode, _ detail: String) {
        switch code {
        case .invalid: self.init(.unprocessableContent, "invalid_request", "The cluster refused the request", detail)
        case .noQuorum: self.init(.noQuorum(detail))
        case .outcomeUnknown: self.init(.outcomeUnknown(detail))
        case .overloaded: self.init(.overloaded(detail))
        case .noRing: self = .noNodes
        case .readOnly:
            self.init(
                .serviceUnavailable, "read_only", "A node does not take writes", detail, retryAfterSeconds: 5)
        case .unknownTopic: self = .notFound("topic", detail)
        case .partitionOutOfRange:
            self.init(.unprocessableContent, "invalid_parameter", "There is no such partition", detail)
        case .offsetOutOfRange: self.init(.gone, "offset_gone", "The records are no longer there", detail)
        case .notInSync: self = .conflict("not_in_sync", detail)
        case .ringBusy: self = .conflict("ring_busy", detail)
        case .ringRefused:
            self.init(.unprocessableContent, "ring_refused", "The ring cannot be changed like this", detail)
        case .staleEpoch, .tooOld, .clockDrift, .notPrimary, .notReady, .draining, .notWhole:
            self.init(.serviceUnavailable, "unavailable", "The cluster is changing", detail, retryAfterSeconds: 1)
        case .wrongCluster, .wrongVersion, .wrongSecret, .duplicateNode, .protocolViolation, .tooManyConnections:
            self.init(
                .serviceUnavailable, "unreachable", "The cluster does not let this gateway in", detail,
                retryAfterSeconds: 5)
        case .corruptBatch, .sequenceGap, .internalError:
            self.init(.badGateway, "node_failed", "A node failed in a way it did not expect", detail)
        }
    }

    /// The ring has nobody in it.
    static let noNodes = Problem(
        .serviceUnavailable, "no_nodes", "The ring has no nodes", "the cluster has not been founded yet",
        retryAfterSeconds: 1)

    /// What a client of HTTP is told when the fleet's store did not do it.
    init(_ error: FleetStoreError) {
        switch error {
        case .notFound(let key):
            let kind = key.prefix { $0 != ":" }
            self = .notFound(String(kind), "there is no \(key)")
        case .invalid(let fields): self = .invalidBody(fields.map { FieldError(field: $0.name, detail: $0.problem) })
        case .refused(let refusal): self = .conflict("conflict", refusal.description)
        case .idempotencyKeyReused:
            self.init(
                .unprocessableContent, "idempotency_key_reused", "The idempotency key was used for another order",
                "send the same body with it, or another key")
        case .contended(let key):
            self.init(
                .serviceUnavailable, "overloaded", "Others keep changing the document", key, retryAfterSeconds: 1)
        case .damaged(let error): self = .conflict("damaged_document", error.description)
        case .cluster(let error): self.init(error)
        }
    }
}
