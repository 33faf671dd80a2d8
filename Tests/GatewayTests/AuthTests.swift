import FoundationEssentials
import HTTPTypes
import StormoClient
import Testing

@testable import Gateway

struct AccessPolicyTests {
    private func status(_ required: AccessRole, _ credential: Credential, isOpen: Bool) -> UInt {
        do {
            _ = try AccessPolicy.identity(for: required, showing: credential, isOpen: isOpen)
            return 200
        } catch { return UInt(error.status.code) }
    }

    @Test func rolesIncludeTheOnesBefore() {
        for required in AccessRole.allCases {
            for role in AccessRole.allCases {
                let credential = Credential.identity(Identity(name: "x", role: role))
                #expect(status(required, credential, isOpen: false) == (role >= required ? 200 : 403))
            }
        }
    }

    @Test func withoutAToken() {
        #expect(AccessRole.allCases.map { status($0, .none, isOpen: false) } == [200, 401, 401, 401])
        #expect(AccessRole.allCases.map { status($0, .none, isOpen: true) } == [200, 200, 200, 401])
    }

    @Test func aBadTokenIsNeverAnonymousWhereOneIsNeeded() {
        for isOpen in [false, true] {
            #expect(AccessRole.allCases.map { status($0, .invalid, isOpen: isOpen) } == [200, 401, 401, 401])
        }
    }

    @Test func refusesToLetOthersInWithoutUsers() throws {
        for host in ["0.0.0.0", "::", "192.0.2.1", "example.org"] {
            var configuration = GatewayConfiguration()
            configuration.host = host
            configuration.adminToken = "a-long-enough-token"
            #expect(throws: GatewayError.noUsers(host: host)) { try configuration.validate() }
        }
        for host in ["127.0.0.1", "localhost", "::1", "127.8.8.8"] {
            var configuration = GatewayConfiguration()
            configuration.host = host
            #expect(throws: Never.self) { try configuration.validate() }
        }
    }

    @Test func readsHeaders() {
        #expect(Authenticator.bearer("Bearer abc") == "abc")
        #expect(Authenticator.bearer("bearer  abc ") == "abc")
        #expect(Authenticator.bearer("Basic abc") == nil)
        #expect(Authenticator.cookie(in: "a=b; stormo_session=x.y.z; c=d") == "x.y.z")
        #expect(Authenticator.cookie(in: "a=b") == nil)
        let cookie = Authenticator.setCookie("t", lifetimeSeconds: 60, isSecure: true)
        #expect(cookie == "stormo_session=t; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure")
        #expect(Authenticator.setCookie(nil, lifetimeSeconds: 60, isSecure: false).contains("Max-Age=0"))
    }

    @Test func hostsOnLoopback() {
        for host in [
            "localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080", "proxy.example", "proxy.example:8080",
        ] {
            #expect(LoopbackHosts.accepts(host, allowed: ["proxy.example"]), "\(host)")
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "128.0.0.1", ""] {
            #expect(!LoopbackHosts.accepts(host, allowed: ["proxy.example"]), "\(host)")
        }
    }

    @Test func origins() {
        #expect(CrossOrigin.isSame("http://localhost:8080", as: "localhost:8080"))
        #expect(!CrossOrigin.isSame("http://evil.example", as: "localhost:8080"))
        #expect(!CrossOrigin.isSame("null", as: "null"))
        let some = CrossOrigin(origins: ["https://a.example"])
        #expect(some.headers(for: "https://a.example")[.accessControlAllowOrigin] == "https://a.example")
        #expect(some.headers(for: "https://a.example")[.accessControlAllowCredentials] == "true")
        #expect(some.headers(for: "https://b.example")[.accessControlAllowOrigin] == nil)
        #expect(CrossOrigin(origins: ["*"]).headers(for: "https://b.example")[.accessControlAllowCredentials] == nil)
    }
}

struct PasswordTests {
    @Test func aHashMatchesItsPasswordOnly() throws {
        let hash = try #require(PasswordHash(password: "correct horse"))
        let kept = try #require(PasswordHash(hash.description))
        #expect(kept.matches("correct horse"))
        #expect(!kept.matches("correct horsf"))
        #expect(!kept.matches(""))
        #expect(PasswordHash(password: "") == nil)
        #expect(hash.description != PasswordHash(password: "correct horse")?.description)
    }

    /// The vector of RFC 7914, section 12, with N 1024, r 8, p 16 has other costs than are taken here; this one was
    /// made with Python's hashlib.scrypt(b"pleaseletmein", salt=b"SodiumChloride", n=1024, r=8, p=1, dklen=32).
    @Test func readsHashesMadeElsewhere() throws {
        let hash = try #require(
            PasswordHash("$scrypt$ln=10,r=8,p=1$U29kaXVtQ2hsb3JpZGU$VBc2h9Jl5DImvZFLAVJn4v3UEIqgWTf7VJ7OsMJ2ooU"))
        #expect(hash.matches("pleaseletmein"))
        #expect(!hash.matches("pleaseletmeout"))
    }

    @Test(arguments: [
        "", "x", "$scrypt$ln=40,r=8,p=1$AAAAAAAAAAAAAAAA$AAAA", "$argon2id$v=19$m=1,t=1,p=1$AAAA$AAAA",
        "$scrypt$ln=15,r=8,p=1$AA$AA",
    ])
    func refusesOtherText(text: String) {
        #expect(PasswordHash(text) == nil)
    }
}

struct TokenTests {
    private func service(key: UInt8 = 1, lifetime: Int = 60) -> TokenService {
        TokenService(lifetimeSeconds: lifetime, rememberedMax: 2) { () async throws(ClientError) in
            [UInt8](repeating: key, count: 32)
        }
    }

    @Test func aTokenNamesItsUserOnEveryGateway() async throws {
        let user = GatewayUser(name: "ada", role: .admin, password: try #require(PasswordHash(password: "p")))
        let token = try await service().issue(to: user)
        let other = service()
        for _ in 0..<2 { #expect(try await other.name(in: token) == "ada") }
        #expect(try await service(key: 2).name(in: token) == nil)
        #expect(try await other.name(in: token, now: Date().addingTimeInterval(61)) == nil)
    }

    @Test func refusesDamagedExpiredAndUnsignedTokens() async throws {
        let user = GatewayUser(name: "ada", role: .admin, password: try #require(PasswordHash(password: "p")))
        let service = service()
        let token = try await service.issue(to: user)
        let parts = token.split(separator: ".")
        #expect(try await service.name(in: String(token.dropLast(2))) == nil)
        #expect(try await service.name(in: "x.y.z") == nil)
        #expect(try await service.name(in: "") == nil)
        // {"alg":"none"} with the same payload and no signature.
        #expect(try await service.name(in: "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.\(parts[1]).") == nil)
        let old = try await service.issue(to: user, now: Date().addingTimeInterval(-120))
        #expect(try await service.name(in: old) == nil)
    }
}

struct SignInLimiterTests {
    @Test func limitsByNameAndAddress() {
        var limiter = SignInLimiter(countersMax: 100)
        for _ in 0..<5 { #expect(limiter.attempt(name: "ada", address: "a", nowMs: 0) == nil) }
        let wait = limiter.attempt(name: "ada", address: "a", nowMs: 0)
        #expect(wait == 15_000)
        // Neither another address nor another name waits for it.
        #expect(limiter.attempt(name: "ada", address: "b", nowMs: 0) == nil)
        #expect(limiter.attempt(name: "bob", address: "a", nowMs: 0) == nil)
        #expect(limiter.attempt(name: "ada", address: "a", nowMs: 15_000) == nil)
        #expect(limiter.attempt(name: "ada", address: "a", nowMs: 15_001) != nil)
    }

    @Test func limitsAnAddressThatTriesNames() {
        var limiter = SignInLimiter(countersMax: 1_000)
        let waits = (0..<31).map { limiter.attempt(name: "user\($0)", address: "a", nowMs: 0) }
        #expect(waits.prefix(30).allSatisfy { $0 == nil })
        #expect(waits.last == .some(2_000))
    }

    @Test func forgetsAfterSuccessAndStaysBounded() {
        var limiter = SignInLimiter(countersMax: 10)
        for _ in 0..<5 { _ = limiter.attempt(name: "ada", address: "a", nowMs: 0) }
        limiter.succeeded(name: "ada", address: "a")
        #expect(limiter.attempt(name: "ada", address: "a", nowMs: 0) == nil)
        for index in 0..<1_000 { _ = limiter.attempt(name: "n\(index)", address: "b\(index)", nowMs: 1) }
        #expect(limiter.count <= 12)
    }
}
