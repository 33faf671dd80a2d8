import HTTPTypes
import Hummingbird

/// One field of a request that cannot be accepted.
struct FieldError: Sendable, Hashable {
    /// Its name, with the path to it.
    let field: String
    /// What was expected and what was found.
    let detail: String
}

/// An error as clients see it: `application/problem+json` (RFC 9457) with `code`, a stable machine word.
struct Problem: Error, Sendable {
    /// The status of the answer.
    var status: HTTPResponse.Status
    /// A word that never changes its meaning.
    var code: String
    /// What kind of problem, the same for every occurrence.
    var title: String
    /// What happened here and what to do.
    var detail: String
    /// The bad fields.
    var errors: [FieldError] = []
    /// When to come back, in whole seconds, at least 1.
    var retryAfterSeconds: Int?
    /// Further headers of the answer.
    var headers: HTTPFields = [:]
    /// Writes further members of the document.
    var members: (@Sendable (inout JSONWriter) -> Void)?

    init(
        _ status: HTTPResponse.Status, _ code: String, _ title: String, _ detail: String, errors: [FieldError] = [],
        retryAfterSeconds: Int? = nil, headers: HTTPFields = [:], members: (@Sendable (inout JSONWriter) -> Void)? = nil
    ) {
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.errors = errors
        self.retryAfterSeconds = retryAfterSeconds
        self.headers = headers
        self.members = members
    }

    /// The document's bytes; `instance` names this occurrence.
    func body(instance: String) -> [UInt8] {
        var writer = JSONWriter(capacity: 512)
        writer.object {
            $0.member("type", "urn:stormo:problem:\(code)")
            $0.member("title", title)
            $0.member("status", status.code)
            $0.member("detail", detail)
            $0.member("instance", instance)
            $0.member("code", code)
            if !errors.isEmpty {
                $0.name("errors")
                $0.array {
                    for error in errors {
                        $0.object {
                            $0.member("field", error.field)
                            $0.member("detail", error.detail)
                        }
                    }
                }
            }
            members?(&$0)
        }
        return writer.bytes
    }

    /// The answer.
    func response(instance: String) -> Response {
        var headers = headers
        headers[.contentType] = "application/problem+json"
        headers[.cacheControl] = "no-store"
        if let retryAfterSeconds { headers[.retryAfter] = String(max(1, retryAfterSeconds)) }
        return Response(
            status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: body(instance: instance))))
    }
}

// The problems of more than one call.
extension Problem {
    /// The body is not JSON.
    static func malformed(_ detail: String) -> Problem {
        Problem(.badRequest, "malformed_json", "The body is not JSON", detail)
    }

    /// The body is JSON that cannot be accepted.
    static func invalidBody(_ errors: [FieldError]) -> Problem {
        Problem(
            .unprocessableContent, "invalid_body", "The body is not valid",
            errors.map { "\($0.field): \($0.detail)" }.joined(separator: "; "), errors: errors)
    }

    /// A parameter of the query or a header cannot be accepted.
    static func invalidParameter(_ name: String, _ detail: String) -> Problem {
        Problem(
            .unprocessableContent, "invalid_parameter", "A parameter is not valid", "\(name): \(detail)",
            errors: [FieldError(field: name, detail: detail)])
    }

    /// There is no such thing; `kind` is the first part of the code, as in `drone_not_found`.
    static func notFound(_ kind: String, _ detail: String) -> Problem {
        Problem(.notFound, "\(kind)_not_found", "Not found", detail)
    }

    /// The state does not allow it.
    static func conflict(_ code: String, _ detail: String) -> Problem {
        Problem(.conflict, code, "The present state does not allow it", detail)
    }

    /// A bound was hit; the request was not begun.
    static func overloaded(_ detail: String) -> Problem {
        Problem(.serviceUnavailable, "overloaded", "Too much to do at once", detail, retryAfterSeconds: 1)
    }

    /// The condition of the request does not hold; `version` is the present one.
    static func preconditionFailed(version: String?) -> Problem {
        var headers: HTTPFields = [:]
        if let version { headers[.eTag] = EntityTag.quoted(version) }
        return Problem(
            .preconditionFailed, "precondition_failed", "The condition does not hold",
            version.map { "the version is now \($0)" } ?? "there is no value now", headers: headers,
            members: { $0.member("version", version) })
    }
}
