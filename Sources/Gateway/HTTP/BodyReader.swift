import HTTPTypes
import Hummingbird
import NIOCore

/// Takes in the bodies of requests.
enum BodyReader {
    /// The body of a request that must be JSON: 415 for another type, 413 over `bytesMax`, 400 for what is not JSON or
    /// not all there.
    static func json(_ request: Request, bytesMax: Int) async throws(Problem) -> [UInt8] {
        guard isJSON(request.headers[.contentType]) else {
            throw Problem(
                .unsupportedMediaType, "unsupported_media_type", "The body is not declared as JSON",
                "send it with Content-Type: application/json")
        }
        let bytes = try await collect(request, bytesMax: bytesMax)
        do {
            try JSONParser.parse(bytes, with: JSONCheck())
        } catch { throw .malformed(error.description) }
        return bytes
    }

    /// Whether a `Content-Type` is JSON in UTF-8.
    static func isJSON(_ header: String?) -> Bool {
        guard let header else { return false }
        let parts = header.split(separator: ";").map(\.trimmingSpaces)
        guard let type = parts.first?.lowercased() else { return false }
        guard type == "application/json" || (type.hasPrefix("application/") && type.hasSuffix("+json")) else {
            return false
        }
        return parts.dropFirst().allSatisfy { parameter in
            let text = parameter.lowercased()
            return !text.hasPrefix("charset=") || text == "charset=utf-8" || text == "charset=\"utf-8\""
        }
    }

    private static func collect(_ request: Request, bytesMax: Int) async throws(Problem) -> [UInt8] {
        let declared = request.headers[.contentLength].flatMap { Int($0) }
        if let declared, declared > bytesMax { throw tooLarge(bytesMax) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(min(declared ?? 1_024, bytesMax))
        do {
            for try await buffer in request.body {
                guard bytes.count + buffer.readableBytes <= bytesMax else { throw tooLarge(bytesMax) }
                bytes.append(contentsOf: buffer.readableBytesView)
            }
        } catch let problem as Problem {
            throw problem
        } catch {
            throw Problem(.badRequest, "incomplete_body", "The body broke off", "send the request again, whole")
        }
        // A connection that ends early ends the body too.
        if let declared, declared != bytes.count {
            throw Problem(
                .badRequest, "incomplete_body", "The body broke off",
                "\(declared) bytes were declared, \(bytes.count) came")
        }
        return bytes
    }

    private static func tooLarge(_ bytesMax: Int) -> Problem {
        Problem(
            .contentTooLarge, "body_too_large", "The body is too large", "at most \(bytesMax) bytes are taken")
    }
}
