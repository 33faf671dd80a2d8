package import FleetRules
package import Logging
package import StormoClient
import Synchronization
import Wire

/// Bounds of ``FleetStore``.
package struct FleetStoreSettings: Sendable, Hashable {
    /// Tries of one compare-and-set when others change the same document, or its outcome is unknown: more than a
    /// handful of programs never write one document at once.
    package var attempts = 8
    /// How long a closed delivery is kept, in ms: a week, so that the cluster does not grow without end. Nil keeps it.
    package var closedDeliveryTtlMs: UInt64? = 7 * 86_400_000
    /// How long an idempotency key is remembered, in ms: a day, as the HTTP contract says.
    package var idempotencyTtlMs: UInt64 = 86_400_000
    /// Longest idempotency key in bytes: with its prefix it still fits into a key.
    package var idempotencyKeyBytesMax = 255
    /// How long the city is remembered for naming zones, in ms: it hardly ever changes, and each order asks for it.
    package var cityRememberedMs: Int64 = 5_000
    /// Most drones one listing reads: ten times the fleet that is asked for.
    package var dronesMax = 100_000
    /// Most deliveries one page looks at, so that a filter that matches little cannot read everything at once.
    package var deliveriesLookedAtMax = 20_000

    /// The defaults.
    package init() {}
}

/// Why the store could not do what was asked.
package enum FleetStoreError: Error, Sendable, Hashable, CustomStringConvertible {
    /// There is no such document.
    case notFound(String)
    /// The input is wrong: each bad field with what is wrong with it.
    case invalid([InvalidField])
    /// The delivery's state does not allow it.
    case refused(DeliveryRefusal)
    /// The idempotency key was used for another order.
    case idempotencyKeyReused(String)
    /// Others kept changing the document; try again.
    case contended(String)
    /// A stored document cannot be read.
    case damaged(DocumentError)
    /// The cluster did not do it.
    case cluster(ClientError)

    /// A field of the input and what is wrong with it.
    package struct InvalidField: Sendable, Hashable {
        /// The field's name, dotted inside objects.
        package var name: String
        /// What is expected and what was found.
        package var problem: String

        /// Makes a complaint.
        package init(_ name: String, _ problem: String) {
            self.name = name
            self.problem = problem
        }
    }

    /// One line for people.
    package var description: String {
        switch self {
        case .notFound(let key): "there is no \(key)"
        case .invalid(let fields): fields.map { "\($0.name): \($0.problem)" }.joined(separator: "; ")
        case .refused(let refusal): refusal.description
        case .idempotencyKeyReused(let key): "the idempotency key \(key) was used for another order"
        case .contended(let key): "others keep changing \(key); try again"
        case .damaged(let error): error.description
        case .cluster(let error): error.description
        }
    }
}

/// The fleet's documents in the cluster: what the gateway and the agents share.
///
/// Every change is a compare-and-set on the version that was read. A change of a delivery carries a mark in the
/// document until its event is published: whoever finds a mark publishes (``publishMarks(of:)``), so an event is told
/// at least once, and its `event-id` header tells a second copy from a second event.
package struct FleetStore<Cluster: FleetCluster>: Sendable {
    /// The cluster the documents are in.
    package let cluster: Cluster
    /// The rules' numbers.
    package let rules: FleetSettings
    /// This store's bounds.
    package let settings: FleetStoreSettings
    /// Who publishes, as the events' `by` header says.
    package let publisher: String
    /// The city that is stored when none is.
    package let defaultCity: City
    /// Milliseconds since 1970.
    package let nowMs: @Sendable () -> Int64

    private let random: @Sendable () -> SplitMix64
    private let logger: Logger
    private let remembered = RememberedCity()

    /// A store over a cluster.
    /// - Parameters:
    ///   - random: gives a freshly seeded generator for each new id; by default seeded from the system.
    package init(
        cluster: Cluster, publisher: String, logger: Logger, rules: FleetSettings = FleetSettings(),
        settings: FleetStoreSettings = FleetStoreSettings(), defaultCity: City = .rome,
        nowMs: @escaping @Sendable () -> Int64 = WallClock.nowMs,
        random: @escaping @Sendable () -> SplitMix64 = { SplitMix64(seed: .random(in: 0 ... .max)) }
    ) {
        self.cluster = cluster
        self.publisher = publisher
        self.logger = logger
        self.rules = rules
        self.settings = settings
        self.defaultCity = defaultCity
        self.nowMs = nowMs
        self.random = random
    }

    /// A new id of a delivery.
    package func makeDeliveryID() -> String {
        var generator = random()
        return DeliveryID.make(timeMs: nowMs(), using: &generator)
    }

    // MARK: The city

    /// The stored city as of the last seconds: for orders, which need it to name their zone only.
    func recentZones() async throws(FleetStoreError) -> City {
        let now = nowMs()
        if let city = remembered.city(atMs: now, rememberedForMs: settings.cityRememberedMs) { return city }
        let city = try await zones()
        remembered.remember(city, atMs: now)
        return city
    }

    /// The stored city; when there is none the default is stored, the same for every caller, however many ask at once.
    package func zones() async throws(FleetStoreError) -> City {
        let proposed = FleetJSON.encode(ZonesConfig(defaultCity))
        if let stored = try await get(FleetNames.zonesConfig) { return try city(stored.value) }
        let outcome = try await replace(FleetNames.zonesConfig, .absent, with: proposed, value: proposed) {
            stored throws(DocumentError) in stored.value
        }
        switch outcome {
        case .applied: return defaultCity
        case .refused(.some(let found)): return try city(found.value)
        case .refused(nil): throw .contended("zones_config")
        }
    }

    private func city(_ bytes: [UInt8]) throws(FleetStoreError) -> City {
        do {
            return try FleetJSON.decode(ZonesConfig.self, from: bytes, key: "zones_config").city()
        } catch {
            throw .damaged(error)
        }
    }

    // MARK: Registers

    func get(_ key: Key) async throws(FleetStoreError) -> VersionedValue? {
        do {
            return try await cluster.get(key, consistency: .quorum)
        } catch {
            throw .cluster(error)
        }
    }

    /// Replaces a document under the version that was read.
    ///
    /// When the outcome is unknown the same compare-and-set is sent again: it cannot be applied twice, and a refusal
    /// that shows the very bytes that were to be written means that it was applied.
    func replace<Value>(
        _ key: Key, _ old: Condition, with bytes: [UInt8], ttlMs: UInt64? = nil, value: Value,
        read: (VersionedValue) throws(DocumentError) -> Value
    ) async throws(FleetStoreError) -> Replacement<Value> {
        var lastError = ClientError.outcomeUnknown("not tried")
        for _ in 0..<settings.attempts {
            do {
                let answer = try await cluster.compareAndSet(key, bytes, if: old, ttlMs: ttlMs)
                if answer.applied {
                    if let version = answer.version { return .applied(Versioned(value, version: version)) }
                    // Replaced again already: what counts now is what is there.
                    guard let current = try await cluster.get(key, consistency: .quorum) else { return .refused(nil) }
                    return .applied(try versioned(current, read))
                }
                guard let current = VersionedValue(answer.current) else { return .refused(nil) }
                let found = try versioned(current, read)
                return current.value == bytes ? .applied(found) : .refused(found)
            } catch let error as ClientError {
                guard case .outcomeUnknown = error else { throw Self.storeError(error) }
                lastError = error
            } catch {
                throw Self.storeError(error)
            }
        }
        throw .cluster(lastError)
    }

    private func versioned<Value>(
        _ stored: VersionedValue, _ read: (VersionedValue) throws(DocumentError) -> Value
    ) throws(DocumentError) -> Versioned<Value> {
        Versioned(try read(stored), version: stored.version)
    }

    static func storeError(_ error: any Error) -> FleetStoreError {
        switch error {
        case let error as FleetStoreError: error
        case let error as ClientError: .cluster(error)
        case let error as DocumentError: .damaged(error)
        case let error as DeliveryRefusal: .refused(error)
        default: .contended("\(error)")
        }
    }

    /// Says that a document was passed over because it cannot be read.
    func warn(_ error: DocumentError) {
        logger.warning("document passed over", metadata: ["key": "\(error.key)", "problem": "\(error.problem)"])
    }

    /// Says that an event will be published later, by whoever finds its mark.
    func warnUnpublished(_ delivery: Delivery, _ error: FleetStoreError) {
        logger.warning(
            "event not published yet, its mark stays",
            metadata: ["delivery": "\(delivery.id)", "reason": "\(error)"])
    }
}

/// The city as last read.
private final class RememberedCity: Sendable {
    private let held = Mutex<(city: City, atMs: Int64)?>(nil)

    func city(atMs nowMs: Int64, rememberedForMs: Int64) -> City? {
        held.withLock { held in
            guard let held, nowMs - held.atMs < rememberedForMs, nowMs >= held.atMs else { return nil }
            return held.city
        }
    }

    func remember(_ city: City, atMs: Int64) {
        held.withLock { $0 = (city, atMs) }
    }
}
