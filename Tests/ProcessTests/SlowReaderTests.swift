import Glibc
import NIOCore
import StormoClient
import Testing
import Wire
import WireTransport

@testable import StormoClient

extension ProcessTests {
    /// Readers that do not read, and producers that are faster than the disks, cost bounded memory.
    @Suite struct SlowReaderTests {
        private static let topic = "slow"
        /// More than what may wait for one peer, a client's batches and what a process takes for its own reasons; far less
        /// than what is offered.
        private static let growthBytesMax = 160 << 20

        private func withTopic(
            partitions: UInt32, _ body: (TestCluster, StormoClient) async throws -> Void
        ) async throws {
            try await TestCluster.with { cluster, client in
                try await cluster.waitUntilWhole(client)
                let configuration = TopicConfiguration(partitions: partitions, replicationFactor: 3)
                try await eventually("topic \(Self.topic) is made", cluster.running) {
                    try await client.topic(Self.topic, creating: configuration) != nil
                }
                try await body(cluster, client)
            }
        }

        private func publish(_ records: [Record], _ client: StormoClient, _ cluster: TestCluster) async throws {
            try await eventually("\(records.count) records are published", cluster.running) {
                try await client.publish(toExisting: Self.topic, records)
                return true
            }
        }

        /// A record that does not shrink when it is packed.
        private func noise(bytes: Int) -> Record {
            var random = SystemRandomNumberGenerator()
            let value = (0..<bytes / 8).flatMap { _ in withUnsafeBytes(of: random.next()) { Array($0) } }
            return Record(key: nil, value: value, timestampMs: 1)
        }

        @Test func `a reader that asks and does not read costs its node a bounded amount`() async throws {
            try await withTopic(partitions: 1) { cluster, client in
                let record = noise(bytes: 1 << 19)
                try await publish(Array(repeating: record, count: 4), client, cluster)
                let (index, partition) = try await primary(client)
                let before = cluster[index].residentBytes
                let reader = try await HalfPeer(port: cluster.ports[index])
                try await reader.socket.stopReading()
                // All of it at once would be a gibibyte.
                let fetchesBefore = try await cluster.figure("fetches_total", of: index, by: client)
                let fetch = Fetch(partition: partition, offset: 0, bytesMax: 8 << 20, waitMs: 0)
                for _ in 0..<8 { await reader.send(.fetch(fetch), count: 64) }
                // Others are served meanwhile, by the same node.
                for _ in 0..<20 {
                    try await eventually("others are served", cluster.running) {
                        try await client.fetch(Self.topic, partition: 0, offset: 0).records.count > 0
                    }
                }
                let served = try await cluster.figure("fetches_total", of: index, by: client) - fetchesBefore - 20
                let most = cluster[index].residentBytesMost - before
                await reader.socket.goOnReading()
                try await eventually("the reader is let go", cluster.running) { reader.socket.isClosed }
                print(
                    "    a reader asked for 1 GiB and did not read: \(served) answers were made for it, its node grew by "
                        + "\(most >> 20) MiB at most")
                // About what may wait for it, and not all that it asked for.
                #expect(served > 16 && served < 256)
                #expect(most < Self.growthBytesMax && cluster[index].exit == nil)
            }
        }

        @Test func `a stream's client that does not read costs a gateway a bounded amount`() async throws {
            try await withTopic(partitions: 4) { cluster, client in
                let place = try NodePlace.loopback(1)[0]
                let gateway = try cluster.startGateway(place)
                try await cluster.waitUntilReady(gateway, at: place)
                let http = cluster.http(place)
                // Records that shrink to nothing: what counts is what they are when they are unpacked.
                let text = Array(repeating: UInt8(ascii: "x"), count: 256 << 10)
                let some = (0..<32).map { Record(key: Array("\($0)".utf8), value: text, timestampMs: 1) }
                for _ in 0..<32 { try await publish(some, client, cluster) }
                let before = gateway.residentBytes
                let stream = try await EventStream(http, "/topics/\(Self.topic)/stream?from=earliest")
                try await stream.stopReading()
                // Others are served meanwhile.
                for _ in 0..<20 { #expect(try await http.call("GET", "/topics/\(Self.topic)").status == 200) }
                let most = gateway.residentBytesMost - before
                print("    a stream of 256 MiB was not read: the gateway grew by \(most >> 20) MiB at most")
                #expect(most < Self.growthBytesMax)
                let from = stream.byteCount
                await stream.goOnReading()
                try await eventually("the stream goes on when its client reads again", [gateway]) {
                    stream.byteCount > from + 1 << 20
                }
            }
        }

        @Test func `a producer that is faster than the cluster is refused, not buffered without end`() async throws {
            try await withTopic(partitions: 1) { cluster, client in
                let record = Record(
                    key: nil, value: Array(repeating: UInt8(ascii: "x"), count: 1 << 19), timestampMs: 1)
                try await publish([record], client, cluster)
                let (index, partition) = try await primary(client)
                let flood = try await HalfPeer(port: cluster.ports[index])
                let before = cluster[index].residentBytes
                // Nothing is acknowledged while a majority hangs: what is offered can only wait or be refused.
                let others = (0..<3).filter { $0 != index }
                for other in others { cluster[other].signal(SIGSTOP) }
                let batch = try RecordBatch(records: [Record(key: nil, value: [1], timestampMs: 1)])
                for _ in 0..<60 {
                    await flood.send(.produce(Produce(partition: partition, batch: batch)), count: 100)
                }
                var refusedByNode: UInt64 = 0
                try await eventually("the node refuses what it cannot take", cluster.running) {
                    refusedByNode = 0
                    for name in ["overloaded_total", "no_quorum_total"] {
                        refusedByNode += try await cluster.figure(name, of: index, by: client)
                    }
                    return refusedByNode > 0
                }
                let outcomes = await withTaskGroup(of: ClientError?.self) { group in
                    for _ in 0..<160 {
                        group.addTask {
                            do throws(ClientError) {
                                try await client.publish(toExisting: Self.topic, [record])
                                return nil
                            } catch { return error }
                        }
                    }
                    var outcomes: [ClientError?] = []
                    for await outcome in group {
                        // That one is answered shows that there is a bound: the others may go on.
                        if outcomes.isEmpty { for other in others { cluster[other].signal(SIGCONT) } }
                        outcomes.append(outcome)
                    }
                    return outcomes
                }
                let refused = outcomes.count { if case .overloaded = $0 { true } else { false } }
                let counted = client.statistics.first { $0.name == "client_overloaded_total" }?.value ?? 0
                let grown = cluster[index].residentBytesMost - before
                print(
                    "    the node refused \(refusedByNode) of 6000 publishes; of 80 MiB offered at once the client "
                        + "refused \(refused / 2) MiB; the node grew by \(grown >> 20) MiB")
                #expect(refused > 0 && refused < outcomes.count && counted > 0)
                #expect(grown < Self.growthBytesMax)
                try await publish([record], client, cluster)
            }
        }

        /// Which node is the primary of the only partition, by its place among the nodes.
        private func primary(_ client: StormoClient) async throws -> (index: Int, partition: PartitionID) {
            let topic = try #require(try await client.topic(Self.topic))
            let member = try #require(
                client.cluster?.members.first { $0.identity.id == topic.partitions[0].primary })
            let index = try #require((0..<3).first { member.identity.name == "n\($0 + 1)" })
            return (index, PartitionID(topic: topic.id, index: 0))
        }
    }
}

/// A client by its handshake, and from then on whoever holds its socket.
private struct HalfPeer {
    let socket: RawSocket

    /// Connects to a node and is admitted.
    init(port: Int) async throws {
        let socket = try await RawSocket.connect(port: port)
        self.socket = socket
        var machine = HandshakeMachine.connecting(
            HandshakeMachine.Terms(
                clusterName: "stormo", clusterID: .none, secret: [],
                identity: PeerIdentity(role: .tool, id: .none, name: "half", incarnation: 1, address: ""),
                nonce: Array(repeating: 7, count: 32)),
            purpose: .client)
        guard let hello = machine.start() else { throw WaitedInVain(description: "a handshake without a beginning") }
        await socket.write(Self.frames(hello, count: 1))
        var taken = 0
        while true {
            let from = taken
            try await socket.wait(for: "the handshake of a half peer", within: 10) { socket.bytes.count > from }
            guard case .frame(let frame, let used) = try Self.next(Array(socket.bytes.dropFirst(taken))) else {
                continue
            }
            taken += used
            switch machine.receive(frame.message) {
            case .send(let message): await socket.write(Self.frames(message, count: 1))
            case .open: return
            case let other: throw WaitedInVain(description: "the handshake of a half peer ended in \(other)")
            }
        }
    }

    /// Sends a request so many times.
    func send(_ message: Message, count: Int) async { await socket.write(Self.frames(message, count: count)) }

    private static func next(_ bytes: [UInt8]) throws -> FrameDecoder.Step {
        try bytes.withUnsafeBytes { try FrameDecoder.next($0) }
    }

    private static func frames(_ message: Message, count: Int) -> [UInt8] {
        var encoder = FrameEncoder()
        let time = HybridTime(milliseconds: ClientClock.physicalMs())
        for number in 0..<count {
            encoder.append(message, requestID: RequestID(UInt32(number + 1)), time: time, epoch: .none)
        }
        return encoder.output.bytes
    }
}
