import Testing
import WireTransport

@Suite struct HostPortTests {
    @Test(arguments: [
        ("127.0.0.1:7101", "127.0.0.1", 7_101), ("node-1.example:1", "node-1.example", 1),
        ("[::1]:65535", "::1", 65_535),
    ])
    func reads(text: String, host: String, port: Int) throws {
        let address = try HostPort(text)
        #expect(address.host == host && address.port == port && address.description == text)
    }

    @Test(arguments: ["", "host", "host:", ":1", "host:65536", "host:-1", "::1:80", "[]:1", "host:1x"])
    func refuses(text: String) {
        #expect(throws: TransportError.invalidAddress(text)) { try HostPort(text) }
    }
}
