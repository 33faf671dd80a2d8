import FleetRules
import Logging
import StormoClient

/// Carrying out what ``DispatcherState`` wants done.
extension Dispatcher {
    /// Carries one action out and tells the state what it found; its documents are free again afterwards.
    func carryOut(_ output: DispatcherState.Output) async {
        do throws(FleetStoreError) {
            switch output {
            case .assign(let delivery, let drone, let etaMs): try await assign(delivery, to: drone, etaMs: etaMs)
            case .advance(let delivery, let drone): try await advance(delivery, by: drone)
            case .fail(let delivery, let reason): try await fail(delivery, reason: reason)
            case .free(let drone): try await write(drone, drone.value.freed())
            case .order(let drone, let status): try await order(drone, status)
            case .publish(let delivery): feed(.delivery(await store.publishMarks(of: delivery)))
            case .verifyDrone(let id, _): try await verifyDrone(id)
            case .verifyDelivery(let id, _): try await verifyDelivery(id)
            case .stepDown(let token): stopLeading("another dispatcher leads under token \(token)")
            }
            succeeded()
        } catch {
            await handle(error, of: output)
        }
        feed(.finished(output))
    }

    private func handle(_ error: FleetStoreError, of output: DispatcherState.Output) async {
        switch error {
        case .refused, .notFound, .contended, .invalid, .idempotencyKeyReused:
            counters.add(.refused)
            logger.debug("refused", metadata: ["action": "\(output)", "reason": "\(error)"])
        case .damaged:
            logger.warning("document passed over", metadata: ["reason": "\(error)"])
            try? await Task.sleep(for: .milliseconds(nextPauseMs()))
        case .cluster:
            counters.add(.clusterErrors)
            logger.debug("not done", metadata: ["action": "\(output)", "reason": "\(error)"])
            // The documents stay held for the pause, so that the same action is not tried at once again.
            try? await Task.sleep(for: .milliseconds(nextPauseMs()))
        }
    }

    // MARK: Assigning

    private func assign(
        _ delivery: Versioned<Delivery>, to drone: Versioned<Drone>, etaMs: Int64
    ) async throws(FleetStoreError) {
        guard let token else { return }
        let wanted = delivery.value
        var next = drone.value.assigned(
            Mission(
                deliveryID: wanted.id, origin: wanted.origin, destination: wanted.destination,
                weightKg: wanted.weightKg),
            token: token)
        next.updatedAtMs = store.nowMs()
        let (outcome, document) = try await store.replaceDrone(drone, with: next)
        let busy: Versioned<Drone>
        switch outcome {
        case .applied(let written):
            busy = written
        case .refused(.some(let found)) where found.value.deliveryID == wanted.id && found.value.token == token:
            // Ours, and moved on by the simulator since.
            busy = found
        case .refused(.some(let found)):
            counters.add(.refused)
            return feed(.drone(found))
        case .refused(nil):
            return feed(.droneGone(drone.value.id))
        }
        feed(.drone(busy))
        try await finishAssignment(delivery, busy, etaMs: etaMs, token: token)
        await store.publishDrone(busy, document: document)
    }

    /// The second half: delivery pending → assigned; when that is refused the drone is given back.
    private func finishAssignment(
        _ delivery: Versioned<Delivery>, _ busy: Versioned<Drone>, etaMs: Int64, token: String
    ) async throws(FleetStoreError) {
        let now = store.nowMs()
        let droneID = busy.value.id
        do throws(FleetStoreError) {
            let assigned = try await store.updateDelivery(delivery) { delivery throws(DeliveryRefusal) in
                // Another dispatcher may have finished what we began.
                if delivery.status == .assigned && delivery.droneID == droneID { return nil }
                return try delivery.applying(.assign(droneID: droneID, etaMs: etaMs), nowMs: now, token: token)
            }
            counters.add(.assigned)
            feed(.delivery(assigned))
            feed(.delivery(await store.publishMarks(of: assigned)))
        } catch {
            switch error {
            case .refused, .notFound:
                counters.add(.rolledBack)
                try await write(busy, busy.value.freed())
                try await look(at: delivery.value.id)
            default:
                // Not known: the drone is busy with a delivery that may or may not know of it. Reconciling finds out.
                throw error
            }
        }
    }

    // MARK: Advancing and failing

    private func advance(_ delivery: Versioned<Delivery>, by drone: Drone) async throws(FleetStoreError) {
        let now = store.nowMs()
        let token = token
        let changed = try await store.updateDelivery(delivery) { delivery throws(DeliveryRefusal) in
            delivery.advanced(by: drone, nowMs: now, token: token)
        }
        counters.add(.advanced)
        feed(.delivery(changed))
        feed(.delivery(await store.publishMarks(of: changed)))
    }

    private func fail(_ delivery: Versioned<Delivery>, reason: String) async throws(FleetStoreError) {
        let now = store.nowMs()
        let token = token
        let changed = try await store.updateDelivery(delivery) { delivery throws(DeliveryRefusal) in
            // It was judged as one that waits; a delivery that has got on meanwhile was possible after all.
            guard delivery.status == .pending else { return nil }
            return try delivery.applying(.fail(reason: reason), nowMs: now, token: token)
        }
        counters.add(.failed)
        logger.notice("delivery failed", metadata: ["delivery": "\(delivery.value.id)", "reason": "\(reason)"])
        feed(.delivery(await store.publishMarks(of: changed)))
    }

    // MARK: Drones

    private func order(_ drone: Versioned<Drone>, _ status: DroneStatus) async throws(FleetStoreError) {
        var next = drone.value
        next.status = status
        counters.add(.statusOrders)
        try await write(drone, next)
    }

    /// Replaces a drone and tells of it; when somebody was first, the state learns what is there.
    private func write(_ drone: Versioned<Drone>, _ changed: Drone) async throws(FleetStoreError) {
        var next = changed
        next.updatedAtMs = store.nowMs()
        let (outcome, document) = try await store.replaceDrone(drone, with: next)
        switch outcome {
        case .applied(let written):
            feed(.drone(written))
            await store.publishDrone(written, document: document)
        case .refused(.some(let found)):
            counters.add(.refused)
            feed(.drone(found))
        case .refused(nil):
            feed(.droneGone(drone.value.id))
        }
    }

    // MARK: Mending

    private func verifyDrone(_ id: String) async throws(FleetStoreError) {
        guard let drone = try await store.drone(id) else { return feed(.droneGone(id)) }
        feed(.drone(drone))
        var delivery: Versioned<Delivery>?
        if let deliveryID = drone.value.deliveryID { delivery = try await look(at: deliveryID) }
        switch Reconcile.drone(drone.value, delivery: delivery?.value) {
        case .freeDrone:
            tellMending(drone: id, delivery: drone.value.deliveryID, "drone freed")
            try await write(drone, drone.value.freed())
        case .finishAssignment:
            guard let delivery, let token else { return }
            tellMending(drone: id, delivery: delivery.value.id, "assignment finished")
            let city = try await store.zones()
            let left = Assignment(settings: store.rules, city: city).remainingMs(of: drone.value) ?? 0
            let eta = store.nowMs() + Int64(left / max(configuration.limits.speedFactor, 1e-6))
            try await finishAssignment(delivery, drone, etaMs: eta, token: token)
        case .releaseDelivery, .failDelivery, nil:
            break
        }
    }

    private func verifyDelivery(_ id: String) async throws(FleetStoreError) {
        guard let delivery = try await look(at: id) else { return }
        var drone: Versioned<Drone>?
        if let droneID = delivery.value.droneID {
            drone = try await store.drone(droneID)
            if let drone { feed(.drone(drone)) } else { feed(.droneGone(droneID)) }
        }
        let change: DeliveryChange
        switch Reconcile.delivery(delivery.value, drone: drone?.value) {
        case .releaseDelivery: change = .release
        case .failDelivery(let reason): change = .fail(reason: reason)
        case .freeDrone, .finishAssignment, nil: return
        }
        tellMending(drone: delivery.value.droneID, delivery: id, change.name)
        let now = store.nowMs()
        let token = token
        let changed = try await store.updateDelivery(delivery) { present throws(DeliveryRefusal) in
            // Only what was judged is mended: a delivery that has changed is judged anew in the next round.
            present == delivery.value ? try present.applying(change, nowMs: now, token: token) : nil
        }
        feed(.delivery(changed))
        feed(.delivery(await store.publishMarks(of: changed)))
    }

    /// Reads a delivery and tells the state.
    @discardableResult
    private func look(at id: String) async throws(FleetStoreError) -> Versioned<Delivery>? {
        guard let delivery = try await store.delivery(id) else {
            feed(.deliveryGone(id))
            return nil
        }
        feed(.delivery(delivery))
        return delivery
    }

    private func tellMending(drone: String?, delivery: String?, _ what: String) {
        counters.add(.mended)
        logger.notice(
            "mended", metadata: ["drone": "\(drone ?? "-")", "delivery": "\(delivery ?? "-")", "by": "\(what)"])
    }
}
