package import Wire

/// Where the fleet keeps its documents and tells its events.
package enum FleetNames {
    /// Topic: a delivery was ordered. Key: the delivery's id. Value: the delivery.
    package static let deliveryRequests = "delivery_requests"
    /// Topic: a drone's document changed. Key: the drone's id. Value: the drone.
    package static let droneUpdates = "drone_updates"
    /// Topic: a delivery changed after its order. Key: the delivery's id. Value: the delivery.
    package static let deliveryStatus = "delivery_status"

    /// What every drone's key begins with.
    package static let dronePrefix = "drone:"
    /// What every delivery's key begins with.
    package static let deliveryPrefix = "delivery:"
    /// What the keys that remember idempotency keys begin with.
    package static let idempotencyPrefix = "delivery_request:"
    /// What the keys by which simulator processes know of each other begin with.
    package static let simulatorPrefix = "drone_sim:"

    /// The city.
    package static let zonesConfig = Key("zones_config")
    /// The ids of the registered drones; nothing here reads it but the registration itself.
    package static let dronesIndex = Key("drones_index")
    /// The newest deliveries' ids; nothing here reads it.
    package static let deliveriesIndex = Key("deliveries_index")
    /// The lock of the dispatcher that decides.
    package static let dispatcherLock = "drone-dispatcher"

    /// The key of a drone.
    package static func drone(_ id: String) -> Key { Key(dronePrefix + id) }
    /// The key of a delivery.
    package static func delivery(_ id: String) -> Key { Key(deliveryPrefix + id) }
    /// The key that remembers an idempotency key.
    package static func idempotency(_ key: String) -> Key { Key(idempotencyPrefix + key) }
    /// The lock of one share of the fleet.
    package static func simulatorLock(slot: Int) -> String { "drone-sim-\(slot)" }
}
