import FleetRules
import StormoClient
import Wire

/// What operators do to the whole fleet at once.
extension FleetStore {
    /// Most ids in `deliveries_index`.
    package static var indexedDeliveriesMax: Int { 1_000 }

    /// Writes the newest deliveries' ids into `deliveries_index`.
    package func writeDeliveriesIndex(_ ids: [String]) async throws(FleetStoreError) {
        do {
            try await cluster.put(
                FleetNames.deliveriesIndex, FleetJSON.encode(["ids": ids]), ttlMs: nil, consistency: .quorum)
        } catch {
            throw .cluster(error)
        }
    }

    /// Sets all drones inactive and fully charged, where they are and on the ground.
    /// - Returns: how many drones there are.
    @discardableResult
    package func resetFleet() async throws(FleetStoreError) -> Int {
        let drones = try await drones()
        for drone in drones {
            let patch = DronePatch(status: .inactive, battery: 100, position: drone.value.position)
            _ = try await patchDrone(drone.value.id, patch)
        }
        return drones.count
    }

    /// Closes all open deliveries (what is in flight fails, the others are cancelled) and frees their drones.
    /// - Returns: how many were closed.
    @discardableResult
    package func closeOpenDeliveries() async throws(FleetStoreError) -> Int {
        var open: [Versioned<Delivery>] = []
        try await forEachDelivery { if !$0.value.status.isClosed { open.append($0) } }
        for delivery in open {
            let now = nowMs()
            let closed = try await updateDelivery(delivery) { delivery throws(DeliveryRefusal) in
                switch delivery.status {
                case .pending, .assigned: try delivery.applying(.cancel(reason: "closed_by_operator"), nowMs: now)
                case .inFlight: try delivery.applying(.fail(reason: "closed_by_operator"), nowMs: now)
                case .delivered, .cancelled, .failed: nil
                }
            }
            await publishMarks(of: closed)
            // A dispatcher would free the drone too; none need be running.
            guard let droneID = closed.value.droneID, let drone = try await drone(droneID),
                drone.value.deliveryID == closed.value.id, drone.value.status == .busy
            else { continue }
            _ = try await patchDrone(droneID, DronePatch(status: .idle))
        }
        return open.count
    }
}
