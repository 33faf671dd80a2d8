package import Logging
import NIOCore
import NIOPosix
import NodeCore
import NodeStorage
import ServiceLifecycle
import Synchronization
import Wire
import WireTransport

/// A node as a service: opens its storage, listens, and works until it is asked to stop; then it takes leave, answers
/// what is in flight and closes the storage.
package final class StormoNode: ServiceLifecycle.Service {
    private let configuration: NodeConfiguration
    private let logger: Logger

    /// A node that rests until `run`.
    package init(configuration: NodeConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Runs until graceful shutdown or cancellation. Throws `NodeError` when it cannot start, or the cluster will not
    /// have it.
    package func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let result: Result<Void, any Error>
        do {
            try await runMended(on: group.next())
            result = .success(())
        } catch { result = .failure(error) }
        try await group.shutdownGracefully()
        try result.get()
    }

    /// Runs, and runs once more over a fresh database when the one at hand turns out to be damaged.
    private func runMended(on eventLoop: any EventLoop) async throws {
        do { try await run(on: eventLoop, salvage: false) } catch let error as NodeError {
            guard case .storage(.corrupt(let what)) = error else { throw error }
            logger.error(
                "\(configuration.name)'s stored data is damaged: \(what); the database is put aside, and what it held is fetched from the other replicas before this node answers for it again"
            )
            try await run(on: eventLoop, salvage: true)
        }
    }

    private func run(on eventLoop: any EventLoop, salvage: Bool) async throws {
        let listen: HostPort
        do throws(TransportError) { listen = try HostPort(configuration.listen) } catch {
            throw NodeError.transport("\(error)")
        }
        let relay = DurableRelay(eventLoop: eventLoop)
        let setup = try await eventLoop.submit {
            try self.prepare(on: eventLoop, relay: relay, salvage: salvage)
        }.get()
        let driver = setup.driver
        let listener: Listener
        do throws(TransportError) {
            listener = try await Listener.bind(
                host: listen.host, port: listen.port, configuration: setup.transport, delegate: driver,
                eventLoop: eventLoop)
        } catch {
            try? await eventLoop.submit { try setup.storage.close() }.get()
            throw NodeError.transport("\(error)")
        }
        logger.info(
            "\(configuration.name) listens on \(configuration.listen) for cluster \(configuration.clusterName), data in \(configuration.storage.directory)"
        )

        let failure = FailureBox()
        try await eventLoop.submit {
            driver.listener = listener
            driver.onFailure = { failure.fail($0) }
            relay.attach(driver)
            driver.start()
        }.get()
        await watch(driver, on: eventLoop, failure)

        logger.info("\(configuration.name) stops")
        try? await eventLoop.submit { driver.leave() }.get()
        await drain(driver, on: eventLoop)
        await listener.close()
        try await eventLoop.submit {
            driver.stop()
            relay.detach()
            try setup.storage.close()
        }.get()
        if let error = failure.error { throw error }
        logger.info("\(configuration.name) has stopped, everything is on disk")
    }

    private struct Setup: @unchecked Sendable {
        let driver: NodeDriver
        let storage: StorageEngine
        let transport: TransportConfiguration
    }

    /// On the event loop: opens the storage and makes the driver.
    private func prepare(on eventLoop: any EventLoop, relay: DurableRelay, salvage: Bool) throws -> Setup {
        do throws(StorageOpenError) {
            let storage = try StorageEngine.open(configuration: configuration.storage, salvage: salvage) {
                relay.durable($0)
            }
            var random = SystemRandomNumberGenerator()
            let identity = try NodeIdentity.start(
                in: configuration.storage.directory, name: configuration.name, clusterName: configuration.clusterName,
                newNodeID: NodeID(random.next() | 1))
            // The number of the start in the upper bits: every run is above all refutations of the run before, whatever
            // the clock says.
            let peer = PeerIdentity(
                role: .node, id: identity.nodeID, name: configuration.name, incarnation: identity.incarnation << 20,
                address: configuration.advertise ?? configuration.listen, zone: configuration.zone)
            var transport = TransportConfiguration(
                clusterName: configuration.clusterName, secret: configuration.secret, identity: peer)
            transport.connectionsMax = configuration.connectionsMax
            transport.connectionsKeptForNodes = configuration.connectionsKeptForNodes
            transport.handshakesMax = configuration.handshakesMax
            let known = KnownPeers.decode(storage.fact(.peers) ?? [])
            let driver = NodeDriver(
                eventLoop: eventLoop, configuration: configuration, transport: transport, identity: identity,
                storage: storage,
                knownPeers: known, logger: logger)
            return Setup(driver: driver, storage: storage, transport: transport)
        } catch { throw NodeError.storage(error) }
    }

    /// Returns when the node should stop: it was asked to, it failed, or nobody in the cluster takes it.
    private func watch(_ driver: NodeDriver, on eventLoop: any EventLoop, _ failure: FailureBox) async {
        let started = SystemClock.now.monotonicMs
        await withGracefulShutdownHandler {
            while !Task.isCancelled, !failure.isStopped {
                try? await Task.sleep(for: .milliseconds(50))
                if let damage = try? await eventLoop.submit({ driver.damage }).get() {
                    failure.fail(.storage(.corrupt(damage)))
                }
                guard SystemClock.now.monotonicMs > started + configuration.refusedTimeoutMs else { continue }
                if let refusal = try? await eventLoop.submit({ driver.refusal }).get() {
                    failure.fail(.refused(refusal))
                }
            }
        } onGracefulShutdown: {
            failure.stop()
        }
    }

    /// Waits until what is in flight has been answered and the clients have closed: a connection that ends with a
    /// request on its way leaves its caller in doubt about it.
    private func drain(_ driver: NodeDriver, on eventLoop: any EventLoop) async {
        let start = SystemClock.now.monotonicMs
        let until = start + configuration.drainTimeoutMs
        while SystemClock.now.monotonicMs < until {
            let (isBusy, hasClients) =
                (try? await eventLoop.submit { (driver.isBusy, driver.hasClients) }.get()) ?? (false, false)
            let patientUntil = start + configuration.clientsLeaveMs
            guard isBusy || hasClients && SystemClock.now.monotonicMs < patientUntil else { return }
            try? await Task.sleep(for: .milliseconds(10))
        }
    }
}

/// Carries the journal's progress from its thread to the event loop: one hop for all that happened meanwhile.
private final class DurableRelay: Sendable {
    private struct State {
        var latest = JournalSequence.start
        var isScheduled = false
    }

    private let eventLoop: any EventLoop
    private let state = Mutex(State())
    private let driver: NIOLoopBoundBox<NodeDriver?>

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        driver = NIOLoopBoundBox.makeEmptyBox(eventLoop: eventLoop)
    }

    func attach(_ driver: NodeDriver) {
        self.driver.value = driver
        deliver()
    }

    func detach() { driver.value = nil }

    func durable(_ sequence: JournalSequence) {
        let mustSchedule = state.withLock { state in
            state.latest = max(state.latest, sequence)
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        if mustSchedule { eventLoop.execute { self.deliver() } }
    }

    private func deliver() {
        let latest = state.withLock { state in
            state.isScheduled = false
            return state.latest
        }
        driver.value?.durable(latest)
    }
}

/// Whether and why a node is to stop.
private final class FailureBox: Sendable {
    private let state = Mutex<(isStopped: Bool, error: NodeError?)>((false, nil))

    var isStopped: Bool { state.withLock { $0.isStopped } }
    var error: NodeError? { state.withLock { $0.error } }

    func stop() { state.withLock { $0.isStopped = true } }

    func fail(_ error: NodeError) {
        state.withLock { state in
            state.isStopped = true
            state.error = state.error ?? error
        }
    }
}
