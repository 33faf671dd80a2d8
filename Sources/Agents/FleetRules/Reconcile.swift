/// What mends a drone and a delivery that disagree.
package enum Mending: Sendable, Hashable {
    /// The drone flies nothing that is its own: take its mission away.
    case freeDrone
    /// The drone was given the delivery and the delivery was not told: finish the assignment.
    case finishAssignment
    /// The delivery counts on a drone that does not carry it, and was not picked up: let it wait for another.
    case releaseDelivery
    /// The delivery was picked up by a drone that no longer carries it: it failed, `reason` says why.
    case failDelivery(reason: String)
}

/// Finds what a dispatcher that died between two writes left behind.
///
/// Both rules are functions of two documents read one after the other; the change they lead to is a CAS on the document
/// that was read *first*, so that a dispatcher that is still alive and has gone on makes the CAS fail instead of being
/// undone.
package enum Reconcile {
    /// What a drone needs, given the delivery its mission names, read after the drone; nil when both agree.
    package static func drone(_ drone: Drone, delivery: Delivery?) -> Mending? {
        guard let mission = drone.mission else { return drone.status == .busy ? .freeDrone : nil }
        guard drone.status == .busy, let delivery, delivery.id == mission.deliveryID else { return .freeDrone }
        switch delivery.status {
        case .pending: return .finishAssignment
        case .assigned, .inFlight: return delivery.droneID == drone.id ? nil : .freeDrone
        case .delivered, .cancelled, .failed: return .freeDrone
        }
    }

    /// What an open delivery needs, given the drone it names, read after the delivery; nil when both agree.
    package static func delivery(_ delivery: Delivery, drone: Drone?) -> Mending? {
        guard delivery.status == .assigned || delivery.status == .inFlight else { return nil }
        let isLoaded = delivery.status == .inFlight
        guard let drone, drone.id == delivery.droneID, drone.status == .busy, drone.deliveryID == delivery.id else {
            return isLoaded ? .failDelivery(reason: "drone_lost") : .releaseDelivery
        }
        if drone.battery <= 0, drone.altitudeM <= 0, drone.mission?.stage != .arrived {
            return isLoaded ? .failDelivery(reason: "battery_empty") : .releaseDelivery
        }
        return nil
    }
}
