import Fleet
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import StormoClient

/// What Hummingbird tells about a request beside the request.
struct GatewayContext: InitializableFromSource, Sendable {
    /// The connection.
    let channel: any Channel
    /// Logs.
    let logger: Logger

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
        logger = source.logger
    }
}

/// The way of every request through the gateway: shed, name, check host and origin, find the route, check the role,
/// take in the body, call the handler, and turn what went wrong into a problem document.
struct Pipeline: HTTPResponder {
    typealias Context = GatewayContext

    let routes: RouteTable
    let configuration: GatewayConfiguration
    let crossOrigin: CrossOrigin
    let authenticator: Authenticator
    let metrics: GatewayMetrics
    let requestIDs: RequestIDs

    /// What pages may load and do: everything from this gateway, nothing from elsewhere.
    private static let contentSecurity =
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        + "frame-ancestors 'none'; base-uri 'none'"

    func respond(to request: Request, context: GatewayContext) async throws -> Response {
        let started = ContinuousClock.now
        let requestID = requestIDs.id(
            for: request.headers[.requestID], bytesMax: configuration.limits.requestIDBytesMax)
        var logger = context.logger
        logger[metadataKey: "request"] = "\(requestID)"
        let trace = request.headers[.traceparent].flatMap { RequestIDs.isTraceParent($0) ? $0 : nil }
        if let trace { logger[metadataKey: "trace"] = "\(trace.split(separator: "-")[1])" }

        var matched: Route?
        var response: Response
        if metrics.begin(most: configuration.limits.requestsInFlightMax) {
            do {
                response = try await answer(request, context.channel, requestID, logger, &matched)
            } catch {
                let problem = Self.problem(of: error)
                if problem.status.kind == .serverError || problem.code == Self.unexpected {
                    logger.warning(
                        "a request failed",
                        metadata: ["path": "\(request.uri.path)", "code": "\(problem.code)", "error": "\(error)"])
                }
                count(problem)
                response = problem.response(instance: "urn:stormo:request:\(requestID)")
            }
            let elapsed = started.duration(to: .now)
            let ms = Double(elapsed.components.seconds) * 1_000 + Double(elapsed.components.attoseconds) / 1e15
            metrics.end(
                .init(method: request.method.rawValue, path: matched?.path ?? "", status: response.status.code), ms: ms)
            logger.debug(
                "answered",
                metadata: [
                    "method": "\(request.method)", "path": "\(request.uri.path)", "status": "\(response.status.code)",
                    "ms": "\(ms)",
                ])
        } else {
            metrics.count(.requestsShed)
            response = Problem.overloaded("\(configuration.limits.requestsInFlightMax) requests are in flight")
                .response(instance: "urn:stormo:request:\(requestID)")
        }
        decorate(&response, request, requestID, trace)
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func answer(
        _ request: Request, _ channel: any Channel, _ requestID: String, _ logger: Logger, _ matched: inout Route?
    ) async throws -> Response {
        try checkHost(request)
        let path = request.head.path ?? "/"
        let parts = path.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let target = Self.route(routes.match(request.method, parts.first ?? "/"))
        if request.method == .options { return try options(request, target, parts.first ?? "/") }
        let (route, parameters) = try target.get()
        matched = route
        let identity = try AccessPolicy.identity(
            for: route.role,
            showing: route.role == .open ? .none : try await authenticator.credential(of: request.headers),
            isOpen: configuration.isOpen)
        if route.isStream, request.method == .head {
            return Response(status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"])
        }
        let query = try Query(parts.count > 1 ? parts[1] : "")
        let body =
            route.body == .json ? try await BodyReader.json(request, bytesMax: configuration.limits.bodyBytesMax) : []
        let call = Call(
            request: request, parameters: parameters, query: query, body: body, identity: identity,
            requestID: requestID,
            remoteAddress: channel.remoteAddress?.ipAddress ?? "", channel: channel, logger: logger)
        return try await route.handler(call)
    }

    private typealias Target = Result<(Route, parameters: [(name: String, value: String)]), Problem>

    private static func route(_ match: RouteTable.Match) -> Target {
        switch match {
        case .found(let route, let parameters): return .success((route, parameters))
        case .unknownPath: return .failure(.notFound("path", "this gateway has no such path"))
        case .malformedPath:
            return .failure(
                Problem(
                    .badRequest, "malformed_path", "The path is not well formed",
                    "a % must lead two hexadecimal digits, and the text must be UTF-8"))
        case .otherMethods(let methods):
            let allowed = methods.map(\.rawValue).joined(separator: ", ")
            return .failure(
                Problem(
                    .methodNotAllowed, "method_not_allowed", "The path does not take this method",
                    "it takes \(allowed)",
                    headers: [.allow: allowed]))
        }
    }

    /// Answers `OPTIONS`: a preflight of the CORS protocol, or the question which methods there are.
    private func options(_ request: Request, _ target: Target, _ path: some StringProtocol) throws(Problem) -> Response
    {
        if case .failure(let problem) = target, problem.status != .methodNotAllowed { throw problem }
        let methods = HTTPRequest.Method.known.filter {
            if case .found = routes.match($0, path) { true } else { false }
        }
        var headers: HTTPFields = [.allow: (methods + [.options]).map(\.rawValue).joined(separator: ", ")]
        if let origin = request.headers[.origin], crossOrigin.allows(origin) {
            headers.append(contentsOf: CrossOrigin.preflight(methods: methods))
        }
        return Response(status: .noContent, headers: headers)
    }

    /// On loopback a request must come for loopback (or an allowed name), and where calls are open to everybody, a
    /// page of another origin must not make them through its visitor's browser.
    private func checkHost(_ request: Request) throws(Problem) {
        guard configuration.isLoopback else { return }
        let host = request.head.authority ?? ""
        if !host.isEmpty, !LoopbackHosts.accepts(host, allowed: configuration.allowedHosts) {
            throw Problem(
                .forbidden, "host_not_allowed", "This gateway does not go by that name",
                "it listens on loopback only; call it as localhost, or add the name to its allowed hosts")
        }
        let isSafe = request.method == .get || request.method == .head || request.method == .options
        guard configuration.isOpen, !isSafe, let origin = request.headers[.origin] else { return }
        guard CrossOrigin.isSame(origin, as: host) || crossOrigin.allows(origin) else {
            throw Problem(
                .forbidden, "origin_not_allowed", "Pages of that origin may not make this call",
                "add \(origin) to the allowed origins, or configure users")
        }
    }

    private func count(_ problem: Problem) {
        switch problem.code {
        case "body_too_large": metrics.count(.bodiesTooLarge)
        case "unauthorized", "invalid_token", "forbidden": metrics.count(.callsRefused)
        case "host_not_allowed", "origin_not_allowed": metrics.count(.foreignRequests)
        case Self.unexpected: metrics.count(.unexpectedErrors)
        default: break
        }
    }

    private func decorate(_ response: inout Response, _ request: Request, _ requestID: String, _ trace: String?) {
        response.headers[.servedBy] = configuration.name
        response.headers[.requestID] = requestID
        if let trace { response.headers[.traceparent] = trace }
        response.headers[.xContentTypeOptions] = "nosniff"
        response.headers[.referrerPolicy] = "no-referrer"
        response.headers[.contentSecurityPolicy] = Self.contentSecurity
        response.headers[.frameOptions] = "DENY"
        for field in crossOrigin.headers(for: request.headers[.origin]) { response.headers.append(field) }
    }

    private static let unexpected = "unexpected_error"

    /// The problem behind any error.
    private static func problem(of error: any Error) -> Problem {
        switch error {
        case let problem as Problem: problem
        case let error as ClientError: Problem(error)
        case let error as FleetStoreError: Problem(error)
        default:
            Problem(
                .internalServerError, unexpected, "The gateway failed in a way it did not expect",
                "its log has the request's id")
        }
    }
}

extension HTTPRequest.Method {
    /// The methods that routes may have.
    static let known: [HTTPRequest.Method] = [.get, .head, .put, .post, .patch, .delete]
}
