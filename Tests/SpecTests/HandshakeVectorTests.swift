import Testing
import Wire

@testable import WireTransport

@Suite struct HandshakeVectorTests {
    @Test func proofsAreThoseOfTheVector() throws {
        let vectors: [HandshakeVector] = try Specification.vectors("handshake.json")
        #expect(!vectors.isEmpty)
        for vector in vectors {
            #expect(hex(Message.hello(Samples.hello).encodedBody) == vector.hello)
            #expect(hex(Message.challenge(Samples.challenge).encodedBody) == vector.challenge)
            func code(_ label: String) -> String {
                hex(
                    SecretMAC.code(
                        secret: Array(vector.secret.utf8), label: label, hello: Samples.hello,
                        challenge: Samples.challenge))
            }
            #expect(code(Handshake.connectorLabel) == vector.connector)
            #expect(code(Handshake.listenerLabel) == vector.listener)
        }
    }
}
