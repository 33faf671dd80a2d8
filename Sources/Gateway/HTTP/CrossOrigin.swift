import HTTPTypes

/// Calls by pages of other origins (the CORS protocol of the Fetch standard).
struct CrossOrigin: Sendable {
    /// The origins that may; `*` for all.
    let origins: [String]

    private static let exposed = "ETag, Location, Retry-After, X-Request-Id, X-Served-By"
    private static let requestHeaders =
        "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, "
        + "X-Request-Id, traceparent"
    /// How long a browser may remember a preflight, in seconds.
    private static let maxAgeSeconds = 600

    /// Whether a page of this origin may call.
    func allows(_ origin: String) -> Bool { origins.contains("*") || origins.contains(origin) }

    /// Whether the origin is the one that the request itself went to.
    static func isSame(_ origin: String, as host: String) -> Bool {
        let origin = origin.lowercased()
        return ["http://", "https://"].contains { origin == $0 + host.lowercased() }
    }

    /// What every answer to such a page says.
    func headers(for origin: String?) -> HTTPFields {
        guard !origins.isEmpty else { return [:] }
        var headers: HTTPFields = [.vary: "Origin"]
        guard let origin, allows(origin) else { return headers }
        headers[.accessControlAllowOrigin] = origin
        headers[.accessControlExposeHeaders] = Self.exposed
        // With `*` any page may call, so none of them gets to use the visitor's cookie.
        if !origins.contains("*") { headers[.accessControlAllowCredentials] = "true" }
        return headers
    }

    /// What the answer to a preflight says beside.
    static func preflight(methods: [HTTPRequest.Method]) -> HTTPFields {
        [
            .accessControlAllowMethods: methods.map(\.rawValue).joined(separator: ", "),
            .accessControlAllowHeaders: requestHeaders,
            .accessControlMaxAge: String(maxAgeSeconds),
        ]
    }
}
