import HTTPTypes
import Hummingbird

/// What a request to a path with a method does: one line of the HTTP contract.
struct Route: Sendable {
    /// What the handler gets for a body.
    enum Body: Sendable {
        /// None; what a client sends is passed over.
        case none
        /// JSON, checked before the handler is called.
        case json
    }

    /// The method.
    let method: HTTPRequest.Method
    /// The path: `/drones/{id}`; a last segment `{key...}` stands for all that is left, slashes included.
    let path: String
    /// Who may.
    let role: AccessRole
    /// What it takes.
    let body: Body
    /// Whether the answer is a stream without end.
    let isStream: Bool
    /// What it does.
    let handler: @Sendable (Call) async throws -> Response

    init(
        _ method: HTTPRequest.Method, _ path: String, _ role: AccessRole, body: Body = .none, isStream: Bool = false,
        _ handler: @escaping @Sendable (Call) async throws -> Response
    ) {
        self.method = method
        self.path = path
        self.role = role
        self.body = body
        self.isStream = isStream
        self.handler = handler
    }
}

/// All routes, found by path first and method second, so that a wrong method can be told from a wrong path.
struct RouteTable: Sendable {
    /// What a path and a method lead to.
    enum Match {
        case found(Route, parameters: [(name: String, value: String)])
        /// The path exists, for these methods.
        case otherMethods([HTTPRequest.Method])
        case unknownPath
        /// The path's percent-encoding is broken.
        case malformedPath
    }

    private enum Segment: Hashable, Sendable {
        case literal(String)
        case parameter(String)
        case rest(String)
    }

    private struct Entry: Sendable {
        let segments: [Segment]
        let route: Route

        /// Literals go before parameters, and these before the rest.
        var rank: [Int] {
            segments.map {
                switch $0 {
                case .literal: 0
                case .parameter: 1
                case .rest: 2
                }
            }
        }
    }

    /// By first segment; patterns never begin with a parameter.
    private let entries: [String: [Entry]]

    init(_ routes: [Route]) {
        var entries: [String: [Entry]] = [:]
        for route in routes {
            let segments = route.path.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(
                Self.segment)
            guard case .literal(let first) = segments.first else {
                preconditionFailure("the route \(route.path) does not begin with a fixed segment")
            }
            entries[first, default: []].append(Entry(segments: segments, route: route))
        }
        self.entries = entries.mapValues { entries in
            entries.sorted { $0.rank.lexicographicallyPrecedes($1.rank) }
        }
    }

    private static func segment(_ text: Substring) -> Segment {
        guard text.hasPrefix("{"), text.hasSuffix("}") else { return .literal(String(text)) }
        let name = text.dropFirst().dropLast()
        return name.hasSuffix("...") ? .rest(String(name.dropLast(3))) : .parameter(String(name))
    }

    /// Finds the route of a path as it was sent, still percent-encoded. `HEAD` is answered by what answers `GET`.
    func match(_ method: HTTPRequest.Method, _ path: some StringProtocol) -> Match {
        let sent = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        guard let first = sent.first, let firstName = PercentCoding.decoded(first) else { return .malformedPath }
        var methods: [HTTPRequest.Method] = []
        for entry in entries[firstName] ?? [] {
            switch Self.parameters(entry.segments, sent) {
            case .no: continue
            case .malformed: return .malformedPath
            case .yes(let parameters):
                if entry.route.method == method || (method == .head && entry.route.method == .get) {
                    return .found(entry.route, parameters: parameters)
                }
                if !methods.contains(entry.route.method) { methods.append(entry.route.method) }
            }
        }
        if methods.isEmpty { return .unknownPath }
        if methods.contains(.get) { methods.append(.head) }
        return .otherMethods(methods)
    }

    private enum Fit {
        case no
        case malformed
        case yes([(name: String, value: String)])
    }

    private static func parameters<Text: StringProtocol>(_ segments: [Segment], _ sent: [Text]) -> Fit {
        var parameters: [(name: String, value: String)] = []
        for (index, segment) in segments.enumerated() {
            switch segment {
            case .rest(let name):
                guard index < sent.count else { return .no }
                guard let value = PercentCoding.decoded(sent[index...].joined(separator: "/")) else {
                    return .malformed
                }
                parameters.append((name, value))
                return .yes(parameters)
            case .literal(let text):
                guard index < sent.count, PercentCoding.decoded(sent[index]) == text else { return .no }
            case .parameter(let name):
                guard index < sent.count, !sent[index].isEmpty else { return .no }
                guard let value = PercentCoding.decoded(sent[index]) else { return .malformed }
                parameters.append((name, value))
            }
        }
        return segments.count == sent.count ? .yes(parameters) : .no
    }
}
