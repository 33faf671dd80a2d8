import Glibc
import Logging
import ServiceLifecycle
import StormoClient
import Testing
import Wire

@testable import Gateway

/// A gateway on a port of its own, whose cluster does not answer: what HTTP alone decides.
@Suite(.serialized) struct GatewayServerTests {
    @Test func namesItselfAndTheRequest() async throws {
        try await withGateway { port in
            let answer = try await HTTPExchange(
                port, "GET /health",
                headers: [
                    "X-Request-Id: mine-1", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                ])
            #expect(answer.status == "503")
            #expect(answer.body?["status"] == .string("unavailable"))
            #expect(answer.headers.contains("x-served-by: gw-test"))
            #expect(answer.headers.contains("x-request-id: mine-1"))
            #expect(answer.headers.contains("traceparent: 00-4bf9"))
            #expect(
                answer.headers.contains(
                    "content-security-policy: default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
                ))
            #expect(try await HTTPExchange(port, "GET /ready").status == "503")
        }
    }

    @Test func errorsHaveOneShape() async throws {
        try await withGateway { port in
            for (head, headers, body, status, code) in [
                ("GET /nope", [], "", "404", "path_not_found"), ("PATCH /kv/a", [], "", "405", "method_not_allowed"),
                ("GET /kv/%ff", [], "", "400", "malformed_path"),
                ("GET /kv?limit=0", [], "", "422", "invalid_parameter"),
                ("GET /kv?cursor=x", [], "", "422", "invalid_parameter"),
                ("GET /kv/%00lock", [], "", "422", "invalid_key"),
                ("PUT /kv/a", ["Content-Type: text/plain"], "{\"value\":1}", "415", "unsupported_media_type"),
                ("PUT /kv/a", ["Content-Type: application/json"], "{\"value\":", "400", "malformed_json"),
                ("PUT /kv/a", ["Content-Type: application/json"], "[1]", "422", "invalid_body"),
                ("PUT /kv/a", ["Content-Type: application/json"], "{\"value\":1,\"ttl\":\"x\"}", "422", "invalid_body"),
                (
                    "PUT /kv/a?consistency=most", ["Content-Type: application/json"], "{\"value\":1}", "422",
                    "invalid_parameter"
                ),
                ("PUT /kv/drones_index", ["Content-Type: application/json"], "{\"value\":1}", "409", "computed_key"),
                (
                    "POST /kv/cas", ["Content-Type: application/json"], "{\"key\":\"a\",\"new\":1}", "422",
                    "invalid_body"
                ),
                ("POST /readings", ["Content-Type: application/json"], "{\"piano\":\"1\"}", "422", "invalid_body"),
                (
                    "POST /internal/broadcast", ["Content-Type: application/json"], "{\"_token\":\"x\"}", "403",
                    "forbidden"
                ),
                ("PUT /admin/thresholds", ["Content-Type: application/json"], "{}", "401", "unauthorized"),
                ("GET /kv/a", ["Authorization: Bearer x.y"], "", "401", "invalid_token"),
                (
                    "POST /lock/acquire", ["Content-Type: application/json"], "{\"name\":\"\",\"owner\":1}", "422",
                    "invalid_body"
                ),
            ] {
                let answer = try await HTTPExchange(port, head, headers: headers, body: Array(body.utf8))
                #expect(answer.status == status, "\(head) \(body)")
                #expect(answer.body?["code"] == .string(code), "\(head) \(body)")
                #expect(answer.headers.contains("content-type: application/problem+json"), "\(head)")
            }
            #expect(try await HTTPExchange(port, "POST /kv/a").headers.contains("allow: get, put, delete, head"))
            #expect(try await HTTPExchange(port, "HEAD /nope").status == "404")
        }
    }

    @Test func aClusterThatDoesNotAnswerIsA503() async throws {
        try await withGateway { port in
            for head in [
                "GET /kv/a", "GET /drones", "GET /zones", "GET /floors", "GET /fleet/stream", "GET /sharding/info",
            ] {
                let answer = try await HTTPExchange(port, head)
                #expect(answer.status == "503", "\(head)")
                #expect(answer.headers.contains("retry-after: "), "\(head)")
            }
        }
    }

    @Test func bodiesThatLieAboutTheirLength() async throws {
        try await withGateway({ $0.limits.idleMs = 300 }) { port in
            let json = "Content-Type: application/json"
            #expect(
                try await HTTPExchange(port, "PUT /kv/a", headers: [json, "Content-Length: 1048577"]).status == "413")
            // Shorter than declared, and then the end.
            let short = try #require(HTTPSocket(port: port))
            short.send("PUT /kv/a HTTP/1.1\r\nHost: localhost\r\n\(json)\r\nContent-Length: 100\r\n\r\n{\"value\":1}")
            short.finish()
            #expect(!(await short.receive()).contains(" 200 "))
            // Shorter than declared, and then silence: the connection ends.
            let silent = try #require(HTTPSocket(port: port))
            silent.send("PUT /kv/a HTTP/1.1\r\nHost: localhost\r\n\(json)\r\nContent-Length: 100\r\n\r\n{\"value\":1}")
            #expect(!(await silent.receive()).contains(" 200 "))
            // Longer than declared: the rest is no request.
            let long = try #require(HTTPSocket(port: port))
            long.send(
                "PUT /kv/a HTTP/1.1\r\nHost: localhost\r\n\(json)\r\nContent-Length: 5\r\n\r\n{\"value\":1}garbage\r\n\r\n"
            )
            #expect((await long.receive()).contains(" 400 "))
            // Chunks that never end, over the limit.
            let chunks = try #require(HTTPSocket(port: port))
            chunks.send("PUT /kv/a HTTP/1.1\r\nHost: localhost\r\n\(json)\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = "10000\r\n" + String(repeating: " ", count: 0x10000) + "\r\n"
            for _ in 0..<17 { chunks.send(chunk) }
            #expect((await chunks.receive(until: "\r\n\r\n")).contains(" 413 "))
            // And it still answers.
            #expect(try await HTTPExchange(port, "GET /nope").status == "404")
        }
    }

    @Test func aPageElsewhereCannotReachLoopback() async throws {
        try await withGateway({ $0.corsOrigins = ["https://friend.example"] }) { port in
            let socket = try #require(HTTPSocket(port: port))
            socket.send("GET /health HTTP/1.1\r\nHost: evil.example:\(port)\r\nConnection: close\r\n\r\n")
            let answer = try HTTPExchange(await socket.receive())
            #expect(answer.status == "403")
            #expect(answer.body?["code"] == .string("host_not_allowed"))
            let cancel = try await HTTPExchange(
                port, "POST /deliveries/x/cancel", headers: ["Origin: http://evil.example"])
            #expect(cancel.body?["code"] == .string("origin_not_allowed"))
            #expect(
                try await HTTPExchange(port, "POST /deliveries/x/cancel", headers: ["Origin: http://localhost:\(port)"])
                    .status == "503")
            let friend = try await HTTPExchange(
                port, "OPTIONS /kv/a",
                headers: ["Origin: https://friend.example", "Access-Control-Request-Method: PUT"])
            #expect(friend.status == "204")
            #expect(friend.headers.contains("access-control-allow-origin: https://friend.example"))
            #expect(friend.headers.contains("access-control-allow-methods: get, head, put, delete"))
            let stranger = try await HTTPExchange(port, "OPTIONS /kv/a", headers: ["Origin: https://evil.example"])
            #expect(!stranger.headers.contains("access-control-allow-origin"))
        }
    }

    @Test func theAdminTokenIsAnAdmin() async throws {
        try await withGateway({ $0.adminToken = "an-admin-token" }) { port in
            let json = "Content-Type: application/json"
            let good = try await HTTPExchange(
                port, "PUT /admin/thresholds", headers: [json, "Authorization: Bearer an-admin-token"],
                body: Array("{}".utf8))
            #expect(good.status == "422")
            let bad = try await HTTPExchange(
                port, "PUT /admin/thresholds", headers: [json, "Authorization: Bearer an-admin-tokem"],
                body: Array("{}".utf8))
            #expect(bad.status == "401")
        }
    }

    @Test func attemptsToSignInAreLimited() async throws {
        let hash = try #require(PasswordHash(password: "right"))
        try await withGateway({ $0.users = [GatewayUser(name: "ada", role: .admin, password: hash)] }) { port in
            let body = Array("{\"username\":\"ada\",\"password\":\"wrong\"}".utf8)
            var statuses: [String] = []
            var last = ""
            for _ in 0..<6 {
                let answer = try await HTTPExchange(
                    port, "POST /login", headers: ["Content-Type: application/json"], body: body)
                statuses.append(answer.status)
                last = answer.headers
            }
            #expect(statuses == ["401", "401", "401", "401", "401", "429"])
            #expect(last.split(separator: "\r\n").contains("retry-after: 15"))
            // With users configured, clients need a token too.
            #expect(try await HTTPExchange(port, "GET /kv/a").status == "401")
        }
    }

    @Test func servesFilesByNameOnly() async throws {
        let directory = "/tmp/stormo-gateway-web-\(getpid())"
        mkdir(directory, 0o755)
        defer {
            unlink("\(directory)/fleet.html")
            rmdir(directory)
        }
        let page = open("\(directory)/fleet.html", O_WRONLY | O_CREAT, 0o644)
        write(page, "<p>fleet", 8)
        close(page)
        try await withGateway({ $0.webDirectory = directory }) { port in
            let first = try await HTTPExchange(port, "GET /dashboard")
            #expect(first.status == "200")
            #expect(first.headers.contains("content-type: text/html; charset=utf-8"))
            let tag = try #require(
                first.headers.split(separator: "\r\n").first { $0.hasPrefix("etag: ") }?.dropFirst(6))
            #expect(
                try await HTTPExchange(port, "GET /web/fleet.html", headers: ["If-None-Match: \(tag)"]).status == "304")
            #expect(try await HTTPExchange(port, "GET /").headers.contains("location: /dashboard"))
            for path in [
                "/web/../fleet.html", "/web/..%2f..%2f..%2fetc%2fpasswd", "/web//etc/passwd", "/web/",
                "/lib/leaflet/%2e%2e/x", "/dashboard/energy", "/dashboard/cluster",
            ] {
                #expect(try await HTTPExchange(port, "GET \(path)").status == "404", "\(path)")
            }
        }
    }

    @Test func saysSoWhileItDrainsAndThenEnds() async throws {
        var configuration = GatewayConfiguration()
        configuration.port = 0
        configuration.drainMs = 300
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let client = StormoClient(
            configuration: ClientConfiguration(seeds: [], clusterName: "c", secret: [1], role: .gateway, name: "gw"),
            logger: logger)
        let (ports, port) = AsyncStream<Int>.makeStream()
        let server = try GatewayServer(configuration: configuration, client: client, logger: logger) { port.yield($0) }
        let group = ServiceGroup(services: [server], logger: logger)
        let running = Task { try await group.run() }
        var iterator = ports.makeAsyncIterator()
        let bound = try #require(await iterator.next())
        // A connection that stays open must not hold up the end.
        let idle = try #require(HTTPSocket(port: bound))
        idle.send("GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect((await idle.receive(until: "path_not_found")).contains(" 404 "))
        await group.triggerGracefulShutdown()
        let answer = try await HTTPExchange(bound, "GET /ready")
        #expect(answer.status == "503")
        #expect(answer.body?["status"] == .string("draining"))
        try await running.value
        #expect(HTTPSocket(port: bound) == nil)
    }

    @Test func saysWhenThePortIsTaken() async throws {
        try await withGateway { port in
            await #expect(throws: GatewayError.portInUse("127.0.0.1:\(port)")) {
                try await withGateway({ $0.port = port }) { _ in Issue.record("it listened") }
            }
        }
    }
}
