import StormoClient
import Testing
import Wire

extension ProcessTests {
    /// What a node does about those who speak to it wrongly: it closes the connection and serves the others.
    @Suite struct BadPeerTests {
        private func hello() -> [UInt8] {
            let hello = Hello(
                versionMin: 1, versionMax: 1, features: 0, purpose: .client, clusterName: "stormo", clusterID: .none,
                identity: PeerIdentity(role: .tool, id: .none, name: "half", incarnation: 1, address: ""),
                nonce: Array(repeating: 7, count: 32))
            var encoder = FrameEncoder()
            encoder.append(.hello(hello), requestID: .oneWay, time: .zero, epoch: .none)
            return encoder.output.bytes
        }

        @Test func `a node closes connections that make no sense and serves the others`() async throws {
            try await TestCluster.with(nodes: 1) { cluster, client in
                try await client.put(Key("kept"), [7])
                let port = cluster.ports[0]

                var random = SystemRandomNumberGenerator()
                var whole = hello()
                whole[6] ^= 1
                var long = hello()
                long.replaceSubrange(0..<4, with: [0xFF, 0xFF, 0xFF, 0x7F])
                var short = hello()
                short.replaceSubrange(0..<4, with: [1, 0, 0, 0])
                let nonsense: [(String, [UInt8])] = [
                    ("random bytes", (0..<4_096).map { _ in UInt8.random(in: 0...255, using: &random) }),
                    ("an HTTP request", Array("GET /kv/a HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)),
                    ("a TLS hello", [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3] + Array(repeating: 9, count: 100)),
                    ("a wrong checksum", whole), ("a length of two gigabytes", long), ("a length of one", short),
                    ("a second hello", hello() + hello()), ("zeros", Array(repeating: 0, count: 1_000)),
                ]
                for (what, bytes) in nonsense {
                    let socket = try await RawSocket.connect(port: port)
                    await socket.write(bytes)
                    try await eventually("the node closes a connection with \(what)", within: 10, cluster.running) {
                        socket.isClosed
                    }
                    #expect(try await client.get(Key("kept"))?.value == [7], "after \(what)")
                }

                // Those who stop in the middle are let go after the time that a handshake may take.
                var silent: [(String, RawSocket)] = []
                for (what, bytes) in [
                    ("nothing", []), ("half a hello", Array(hello().prefix(40))), ("a hello and no proof", hello()),
                ] {
                    let socket = try await RawSocket.connect(port: port)
                    await socket.write(bytes)
                    silent.append((what, socket))
                }
                try await eventually("the hello is answered", within: 5, cluster.running) { !silent[2].1.bytes.isEmpty }
                let answer = try silent[2].1.bytes.withUnsafeBytes { try FrameDecoder.next($0) }
                guard case .frame(let frame, _) = answer, case .challenge(let challenge) = frame.message else {
                    Issue.record("expected a challenge, got \(answer)")
                    return
                }
                #expect(challenge.identity.name == "n1")
                for (what, socket) in silent {
                    try await eventually("a connection with \(what) is closed", within: 15, cluster.running) {
                        socket.isClosed
                    }
                }
                #expect(try await client.get(Key("kept"))?.value == [7])
                #expect(cluster[0].exit == nil)
            }
        }

        @Test func `a thousand idle connections do not keep others out`() async throws {
            try await TestCluster.with(nodes: 1) { cluster, client in
                var idle: [RawSocket] = []
                for _ in 0..<1_000 { idle.append(try await RawSocket.connect(port: cluster.ports[0])) }
                let late = try await cluster.client()
                try await late.put(Key("a"), [1])
                #expect(try await client.get(Key("a"))?.value == [1])
                try await eventually("idle strangers are let go", within: 15, cluster.running) {
                    idle.allSatisfy(\.isClosed)
                }
            }
        }
    }
}
