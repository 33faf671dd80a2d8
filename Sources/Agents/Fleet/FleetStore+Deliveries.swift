package import FleetRules
import StormoClient
import Wire

/// What an idempotency key was used for.
private struct IdempotencyClaim: Codable, Hashable {
    var id: String
    var timestampMs: Int64
    var origin: PositionDocument
    var destination: PositionDocument
    var weight: Double

    init(id: String, timestampMs: Int64, demand: DeliveryDemand) {
        self.id = id
        self.timestampMs = timestampMs
        origin = PositionDocument(demand.origin)
        destination = PositionDocument(demand.destination)
        weight = demand.weightKg
    }

    var demand: DeliveryDemand {
        DeliveryDemand(origin: origin.point, destination: destination.point, weightKg: weight)
    }

    /// Whether both claims are for the same order, whoever made them.
    func isSameOrder(as other: IdempotencyClaim) -> Bool {
        origin == other.origin && destination == other.destination && weight == other.weight
    }
}

/// A page of deliveries.
package struct DeliveryPage: Sendable {
    /// Newest first.
    package var deliveries: [Versioned<Delivery>]
    /// What to pass for the next page; nil at the end.
    package var nextCursor: String?
}

/// Where a listing goes on: below an id, with windows of the width that the density there asked for.
private struct ListingCursor {
    /// Ids below it follow; an id or the bound of a millisecond.
    var upper: String
    /// The moment of `upper`, rounded up.
    var upperMs: Int64
    var widthMs: Int64

    var text: String { "\(upper).\(widthMs)" }

    init(upper: String, upperMs: Int64, widthMs: Int64) {
        self.upper = upper
        self.upperMs = upperMs
        self.widthMs = widthMs
    }

    /// Reads a cursor back; nil for any other text.
    init?(_ text: String) {
        let parts = text.split(separator: ".")
        guard parts.count == 2, let width = Int64(parts[1]), (1...1 << 48).contains(width) else { return nil }
        let padding = String(repeating: "0", count: max(0, 26 - parts[0].utf8.count))
        guard let timeMs = DeliveryID.timeMs(of: parts[0] + padding) else { return nil }
        // An id lies within its millisecond, a bound at its beginning.
        self.init(upper: String(parts[0]), upperMs: padding.isEmpty ? timeMs + 1 : timeMs, widthMs: width)
    }
}

extension FleetStore {
    // MARK: Ordering

    /// Takes an order.
    ///
    /// With an idempotency key the first caller decides the id, and every later caller of the same order gets that
    /// delivery, through however many gateways and at the same moment.
    /// - Returns: the delivery and whether this call made it.
    /// - Throws: `invalid` with every bad field, `idempotencyKeyReused`, or what the cluster says.
    package func createDelivery(
        _ demand: DeliveryDemand, idempotencyKey: String? = nil
    ) async throws(FleetStoreError) -> (delivery: Versioned<Delivery>, isNew: Bool) {
        var problems = Self.problems(of: demand)
        if let key = idempotencyKey, !(1...settings.idempotencyKeyBytesMax).contains(key.utf8.count) {
            problems.append(
                .init(
                    "Idempotency-Key",
                    "has \(key.utf8.count) bytes, expected 1 to \(settings.idempotencyKeyBytesMax)"))
        }
        guard problems.isEmpty else { throw .invalid(problems) }
        let city = try await recentZones()
        let id = makeDeliveryID()
        let timestampMs = DeliveryID.timeMs(of: id) ?? nowMs()
        guard let idempotencyKey else {
            return try await insert(delivery(id, timestampMs, demand, city), mayExist: false)
        }
        let claim = IdempotencyClaim(id: id, timestampMs: timestampMs, demand: demand)
        let key = FleetNames.idempotency(idempotencyKey)
        let claimed = try await replace(
            key, .absent, with: FleetJSON.encode(claim), ttlMs: settings.idempotencyTtlMs, value: claim
        ) { stored throws(DocumentError) in
            try FleetJSON.decode(IdempotencyClaim.self, from: stored.value, key: key.description)
        }
        switch claimed {
        case .applied(let mine) where mine.value.id == id:
            return try await insert(delivery(id, timestampMs, demand, city), mayExist: false)
        case .applied(let earlier), .refused(.some(let earlier)):
            guard earlier.value.isSameOrder(as: claim) else { throw .idempotencyKeyReused(idempotencyKey) }
            if let found = try await delivery(earlier.value.id) { return (found, false) }
            // Whoever claimed the key has not stored the delivery yet, or died before: store it in its place.
            let again = delivery(earlier.value.id, earlier.value.timestampMs, earlier.value.demand, city)
            return (try await insert(again, mayExist: true).delivery, false)
        case .refused(nil):
            throw .contended(key.description)
        }
    }

    /// Stores a delivery made with ``makeDeliveryID()`` and publishes its order; storing it again changes nothing.
    package func insert(_ delivery: Delivery) async throws(FleetStoreError) -> Versioned<Delivery> {
        try await insert(delivery, mayExist: true).delivery
    }

    private func insert(
        _ delivery: Delivery, mayExist: Bool
    ) async throws(FleetStoreError) -> (delivery: Versioned<Delivery>, isNew: Bool) {
        let outcome = try await replace(
            FleetNames.delivery(delivery.id), .absent, with: FleetJSON.encode(DeliveryDocument(delivery)),
            value: delivery, read: Self.readDelivery(delivery.id))
        switch outcome {
        case .applied(let stored): return (await publishMarks(of: stored), true)
        case .refused(.some(let found)) where mayExist: return (found, false)
        case .refused: throw .contended(FleetNames.delivery(delivery.id).description)
        }
    }

    private func delivery(_ id: String, _ timestampMs: Int64, _ demand: DeliveryDemand, _ city: City) -> Delivery {
        Delivery(
            id: id, origin: PositionDocument(demand.origin).point,
            destination: PositionDocument(demand.destination).point, weightKg: demand.weightKg,
            timestampMs: timestampMs, zone: city.zone(at: demand.origin)?.id)
    }

    private static func problems(of demand: DeliveryDemand) -> [FleetStoreError.InvalidField] {
        var problems: [FleetStoreError.InvalidField] = []
        for (name, point) in [("origin", demand.origin), ("destination", demand.destination)] where !point.isValid {
            problems.append(.init(name, "expected lat in -90…90 and lon in -180…180"))
        }
        if !(demand.weightKg.isFinite && demand.weightKg > 0) {
            problems.append(.init("weight", "expected kilograms above zero, found \(demand.weightKg)"))
        }
        return problems
    }

    // MARK: Reading

    /// One delivery; nil when there is none of that id.
    package func delivery(_ id: String) async throws(FleetStoreError) -> Versioned<Delivery>? {
        guard let stored = try await get(FleetNames.delivery(id)) else { return nil }
        do {
            return Versioned(try Self.readDelivery(id)(stored), version: stored.version)
        } catch {
            throw .damaged(error)
        }
    }

    /// A page of deliveries, newest first.
    ///
    /// Ids sort by time and keys are listed forwards only, so the page is gathered from time windows that lead
    /// backwards and grow while they are empty.
    /// - Parameters:
    ///   - cursor: `nextCursor` of the page before; any other text is `invalid`.
    ///   - limit: 1 to 1,000.
    ///   - statuses: nil for all.
    package func deliveries(
        cursor: String? = nil, limit: Int = 100, statuses: Set<DeliveryStatus>? = nil
    ) async throws(FleetStoreError) -> DeliveryPage {
        let wanted = max(1, min(limit, WireLimits.scanItemsMax))
        let pageSize = min(WireLimits.scanItemsMax, max(100, 2 * wanted))
        var found: [Versioned<Delivery>] = []
        var lookedAt = 0
        // At first a window reaches a day beyond now, for gateways whose clocks are ahead.
        var position = ListingCursor(
            upper: DeliveryID.lowerBound(timeMs: nowMs() + 86_400_000), upperMs: nowMs() + 1, widthMs: 60_000)
        if let cursor {
            guard let given = ListingCursor(cursor) else {
                throw .invalid([.init("cursor", "expected the next_cursor of a page, found \"\(cursor)\"")])
            }
            position = given
        }
        while position.upperMs > 0 {
            let lowerMs = max(0, position.upperMs - position.widthMs)
            let lower = DeliveryID.lowerBound(timeMs: lowerMs)
            let most = position.widthMs > 1 ? 4 * pageSize : Int.max
            guard let window = try await window(from: lower, to: position.upper, pageSize: pageSize, max: most) else {
                position.widthMs = max(1, position.widthMs / 8)
                continue
            }
            for item in window.reversed() {
                guard let delivery = readable(item), statuses?.contains(delivery.value.status) ?? true else { continue }
                if found.count == wanted {
                    position.upper = found.last?.value.id ?? position.upper
                    return DeliveryPage(deliveries: found, nextCursor: position.text)
                }
                found.append(delivery)
            }
            lookedAt += window.count
            position.upper = lower
            position.upperMs = lowerMs
            if lookedAt >= settings.deliveriesLookedAtMax, lowerMs > 0 {
                return DeliveryPage(deliveries: found, nextCursor: position.text)
            }
            if window.count < wanted { position.widthMs *= 4 }
        }
        return DeliveryPage(deliveries: found, nextCursor: nil)
    }

    /// What is stored under ids in `from..<to`, oldest first; nil when there is more than `max`.
    private func window(
        from: String, to: String, pageSize: Int, max: Int
    ) async throws(FleetStoreError) -> [ScanItem]? {
        var found: [ScanItem] = []
        // A scan begins behind `after`: what lies between the shortened bound and the bound is passed over.
        var after = Array((FleetNames.deliveryPrefix + from.dropLast()).utf8)
        let begin = FleetNames.delivery(from)
        let end = FleetNames.delivery(to)
        while true {
            let page = try await scan(prefix: FleetNames.deliveryPrefix, after: after, limit: pageSize)
            for item in page.items where !(item.key < begin) {
                guard item.key < end else { return found }
                found.append(item)
                if found.count > max { return nil }
            }
            guard let next = page.resumeAfter else { return found }
            after = next
        }
    }

    /// All deliveries with ids from `from` on, oldest first, page by page.
    package func forEachDelivery(
        from: String = "", _ body: (Versioned<Delivery>) -> Void
    ) async throws(FleetStoreError) {
        var after = from.isEmpty ? [] : Array((FleetNames.deliveryPrefix + from.dropLast()).utf8)
        while true {
            let page = try await scan(prefix: FleetNames.deliveryPrefix, after: after)
            for item in page.items {
                if let delivery = readable(item), delivery.value.id >= from { body(delivery) }
            }
            guard let next = page.resumeAfter else { return }
            after = next
        }
    }

    func scan(
        prefix: String, after: [UInt8], limit: Int = WireLimits.scanItemsMax
    ) async throws(FleetStoreError) -> ScanAnswer {
        do {
            return try await cluster.scan(
                prefix: Array(prefix.utf8), after: after, limit: limit, keysOnly: false)
        } catch {
            throw .cluster(error)
        }
    }

    /// A listed delivery; nil, with a warning, for a document that cannot be read.
    private func readable(_ item: ScanItem) -> Versioned<Delivery>? {
        guard let stored = VersionedValue(item.cell) else { return nil }
        do {
            let id = String(item.key.description.dropFirst(FleetNames.deliveryPrefix.count))
            return Versioned(try Self.readDelivery(id)(stored), version: stored.version)
        } catch {
            warn(error)
            return nil
        }
    }

    /// Reads the document of a delivery, which must be stored under its own id.
    static func readDelivery(_ id: String) -> @Sendable (VersionedValue) throws(DocumentError) -> Delivery {
        { stored throws(DocumentError) in
            let key = FleetNames.deliveryPrefix + id
            let delivery = try FleetJSON.decode(DeliveryDocument.self, from: stored.value, key: key).delivery
            guard delivery.id == id else { throw DocumentError(key: key, problem: "its id is \(delivery.id)") }
            return delivery
        }
    }

    // MARK: Changing

    /// Cancels a delivery that has not been picked up; one that is cancelled already is answered as it is.
    /// - Throws: `notFound`, or `refused` when it is past cancelling.
    package func cancelDelivery(_ id: String) async throws(FleetStoreError) -> Versioned<Delivery> {
        guard let start = try await delivery(id) else { throw .notFound(FleetNames.delivery(id).description) }
        let now = nowMs()
        let changed = try await updateDelivery(start) { delivery throws(DeliveryRefusal) in
            if delivery.status == .cancelled { return nil }
            return try delivery.applying(.cancel(reason: "cancelled_by_client"), nowMs: now)
        }
        return await publishMarks(of: changed)
    }

    /// Changes a delivery by compare-and-set; when somebody else was first, `change` is asked again about what is
    /// there.
    /// - Parameters:
    ///   - start: the delivery as last seen.
    ///   - change: the next state, or nil to leave it.
    /// - Returns: the delivery as it is afterwards.
    package func updateDelivery(
        _ start: Versioned<Delivery>, _ change: (Delivery) throws(DeliveryRefusal) -> Delivery?
    ) async throws(FleetStoreError) -> Versioned<Delivery> {
        var present = start
        let key = FleetNames.delivery(start.value.id)
        for _ in 0..<settings.attempts {
            let next: Delivery
            do {
                guard let changed = try change(present.value) else { return present }
                next = changed
            } catch {
                throw .refused(error)
            }
            let outcome = try await replace(
                key, .version(present.version), with: FleetJSON.encode(DeliveryDocument(next)),
                ttlMs: next.status.isClosed ? settings.closedDeliveryTtlMs : nil, value: next,
                read: Self.readDelivery(next.id))
            switch outcome {
            case .applied(let stored): return stored
            case .refused(.some(let found)): present = found
            case .refused(nil): throw .notFound(key.description)
            }
        }
        throw .contended(key.description)
    }

    /// Publishes what the delivery's marks say is unpublished, then takes the marks away.
    ///
    /// A failure is no error to the caller: the mark stays, and the dispatcher finds it later.
    /// - Returns: the delivery as it is afterwards.
    @discardableResult
    package func publishMarks(of delivery: Versioned<Delivery>) async -> Versioned<Delivery> {
        guard let last = delivery.value.marks.last else { return delivery }
        do throws(FleetStoreError) {
            for mark in delivery.value.marks {
                let event = FleetEvent.record(delivery, mark: mark, publisher: publisher, nowMs: nowMs())
                do {
                    try await cluster.publish(event.topic, [event.record])
                } catch {
                    throw FleetStoreError.cluster(error)
                }
            }
            return try await updateDelivery(delivery) { delivery throws(DeliveryRefusal) in
                delivery.withoutMarks(through: last.revision)
            }
        } catch {
            warnUnpublished(delivery.value, error)
            return delivery
        }
    }
}
