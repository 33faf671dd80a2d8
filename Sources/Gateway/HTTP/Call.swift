import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// A request that has passed all checks of its route.
struct Call: Sendable {
    /// The request as it came.
    let request: Request
    /// Parameters of the path, decoded.
    let parameters: [(name: String, value: String)]
    /// Parameters of the query.
    let query: Query
    /// The body, for routes that take one.
    let body: [UInt8]
    /// Who asks.
    let identity: Identity
    /// Names this request in answers and logs.
    let requestID: String
    /// The peer's address, without its port.
    let remoteAddress: String
    /// The connection.
    let channel: any Channel
    /// Logs with the request's id.
    let logger: Logger

    /// A parameter of the path, which the route's pattern has.
    func parameter(_ name: String) -> String {
        guard let value = parameters.first(where: { $0.name == name })?.value else {
            preconditionFailure("no parameter \(name) in the pattern of \(request.uri.path)")
        }
        return value
    }

    /// A header's text.
    func header(_ name: HTTPField.Name) -> String? { request.headers[name] }
}

extension Response {
    /// An answer of JSON that was written already.
    static func json(
        _ bytes: [UInt8], status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
    ) -> Response {
        var headers = headers
        headers[.contentType] = "application/json"
        if headers[.cacheControl] == nil { headers[.cacheControl] = "no-store" }
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// An answer of one JSON object.
    static func object(
        status: HTTPResponse.Status = .ok, headers: HTTPFields = [:], capacity: Int = 256,
        _ body: (inout JSONWriter) -> Void
    ) -> Response {
        var writer = JSONWriter(capacity: capacity)
        writer.object(body)
        return .json(writer.bytes, status: status, headers: headers)
    }
}
