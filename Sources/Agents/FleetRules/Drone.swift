/// What a drone is doing.
package enum DroneStatus: String, Sendable, Hashable, CaseIterable {
    /// Out of service; nothing moves or assigns it until it is woken.
    case inactive
    /// Ready for a delivery.
    case idle
    /// Carrying out its mission.
    case busy
    /// On the way to a charge point, or charging there.
    case charging
    /// On the way to a charge point to be put out of service.
    case retiring
}

/// How far a mission has come.
package enum MissionStage: String, Sendable, Hashable, CaseIterable {
    /// Flying empty to the pick-up.
    case toOrigin = "to_origin"
    /// Flying loaded to the drop-off.
    case toDestination = "to_destination"
    /// Landed at the drop-off.
    case arrived
}

/// The delivery a drone flies, copied into the drone so that flying it needs no other document.
package struct Mission: Sendable, Hashable {
    /// The delivery's id.
    package var deliveryID: String
    /// Where the parcel is picked up.
    package var origin: GeoPoint
    /// Where it is dropped off.
    package var destination: GeoPoint
    /// The parcel's weight in kilograms.
    package var weightKg: Double
    /// How far it has come.
    package var stage: MissionStage

    /// Makes a mission from its parts; it begins on the way to the origin.
    package init(
        deliveryID: String, origin: GeoPoint, destination: GeoPoint, weightKg: Double, stage: MissionStage = .toOrigin
    ) {
        self.deliveryID = deliveryID
        self.origin = origin
        self.destination = destination
        self.weightKg = weightKg
        self.stage = stage
    }
}

/// One drone of the fleet.
package struct Drone: Sendable, Hashable {
    /// Unique in the fleet, never changes.
    package var id: String
    /// Its size, never changes.
    package var type: DroneClass
    /// What it is doing.
    package var status: DroneStatus
    /// Energy left, percent of the class's battery, 0…100.
    package var battery: Double
    /// Where it is.
    package var position: GeoPoint
    /// Metres above ground; 0 when landed.
    package var altitudeM: Double
    /// Degrees clockwise from north of the last horizontal movement.
    package var heading: Double
    /// Ground speed, metres per second; 0 while it climbs, descends or stands.
    package var speed: Double
    /// Whether it stands at a charge point.
    package var isAtCharge: Bool
    /// What it flies; only a busy drone has one.
    package var mission: Mission?
    /// The fencing token of the dispatcher that gave the mission.
    package var token: String?
    /// When this state was written, milliseconds since 1970.
    package var updatedAtMs: Int64

    /// The delivery it carries out, if any.
    package var deliveryID: String? { mission?.deliveryID }

    /// Makes a drone standing on the ground.
    package init(
        id: String, type: DroneClass, status: DroneStatus, battery: Double, position: GeoPoint,
        altitudeM: Double = 0, heading: Double = 0, speed: Double = 0, isAtCharge: Bool = false,
        mission: Mission? = nil, token: String? = nil, updatedAtMs: Int64 = 0
    ) {
        self.id = id
        self.type = type
        self.status = status
        self.battery = battery
        self.position = position
        self.altitudeM = altitudeM
        self.heading = heading
        self.speed = speed
        self.isAtCharge = isAtCharge
        self.mission = mission
        self.token = token
        self.updatedAtMs = updatedAtMs
    }

    /// The drone with a mission begun.
    package func assigned(_ mission: Mission, token: String?) -> Drone {
        var drone = self
        drone.status = .busy
        drone.mission = mission
        drone.token = token
        return drone
    }

    /// The drone without its mission: a busy one becomes idle, any other keeps its status.
    package func freed() -> Drone {
        var drone = self
        drone.mission = nil
        drone.token = nil
        if drone.status == .busy { drone.status = .idle }
        return drone
    }
}
