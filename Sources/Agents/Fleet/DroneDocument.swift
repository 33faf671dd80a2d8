package import FleetRules

/// A drone as it is stored under `drone:{id}` and told on `drone_updates`.
///
/// Beside the fields of the HTTP contract it holds what the fleet's own programs need: `altitude` (metres above
/// ground), `mission` (the delivery's route, so that the simulator flies it without reading the delivery) and `token`
/// (the fencing token of the dispatcher that gave the mission).
package struct DroneDocument: Codable, Sendable, Hashable {
    /// The drone.
    package var drone: Drone

    /// The document of a drone.
    package init(_ drone: Drone) {
        self.drone = drone
    }

    private enum Field: String, CodingKey {
        case id, type, status, battery, position, heading, speed, altitude, mission, token
        case deliveryID = "delivery_id"
        case isAtCharge = "at_charge"
        case updatedAt = "updated_at"
    }

    private struct MissionFields: Codable {
        var origin: PositionDocument
        var destination: PositionDocument
        var weight: Double
        var stage: String
    }

    /// Reads the fields; what a hand-written document may leave out has a default.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Field.self)
        func word<Word: RawRepresentable>(_ field: Field, _ kind: Word.Type) throws -> Word
        where Word.RawValue == String {
            let text = try container.decode(String.self, forKey: field)
            guard let word = Word(rawValue: text) else {
                throw DecodingError.dataCorruptedError(
                    forKey: field, in: container, debugDescription: "\"\(text)\" is not known")
            }
            return word
        }
        let battery = try container.decode(Double.self, forKey: .battery)
        guard (0...100).contains(battery) else {
            throw DecodingError.dataCorruptedError(
                forKey: .battery, in: container, debugDescription: "\(battery) is not within 0…100")
        }
        let position = try container.decode(PositionDocument.self, forKey: .position).point
        guard position.isValid else {
            throw DecodingError.dataCorruptedError(
                forKey: .position, in: container, debugDescription: "it is not on the globe")
        }
        var mission: Mission?
        if let fields = try container.decodeIfPresent(MissionFields.self, forKey: .mission),
            let deliveryID = try container.decodeIfPresent(String.self, forKey: .deliveryID)
        {
            guard let stage = MissionStage(rawValue: fields.stage) else {
                throw DecodingError.dataCorruptedError(
                    forKey: .mission, in: container, debugDescription: "its stage \"\(fields.stage)\" is not known")
            }
            mission = Mission(
                deliveryID: deliveryID, origin: fields.origin.point, destination: fields.destination.point,
                weightKg: fields.weight, stage: stage)
        }
        drone = Drone(
            id: try container.decode(String.self, forKey: .id),
            type: try word(.type, DroneClass.self),
            status: try word(.status, DroneStatus.self),
            battery: battery,
            position: position,
            altitudeM: try container.decodeIfPresent(Double.self, forKey: .altitude) ?? 0,
            heading: try container.decodeIfPresent(Double.self, forKey: .heading) ?? 0,
            speed: try container.decodeIfPresent(Double.self, forKey: .speed) ?? 0,
            isAtCharge: try container.decodeIfPresent(Bool.self, forKey: .isAtCharge) ?? false,
            mission: mission,
            token: try container.decodeIfPresent(String.self, forKey: .token),
            updatedAtMs: try container.decodeIfPresent(Moment.self, forKey: .updatedAt)?.milliseconds ?? 0)
    }

    /// Writes all fields; those of the contract also when they are null.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Field.self)
        try container.encode(drone.id, forKey: .id)
        try container.encode(drone.type.rawValue, forKey: .type)
        try container.encode(drone.status.rawValue, forKey: .status)
        try container.encode(drone.battery.rounded(decimals: 4), forKey: .battery)
        try container.encode(PositionDocument(drone.position), forKey: .position)
        try container.encode(drone.heading.rounded(decimals: 1), forKey: .heading)
        try container.encode(drone.speed.rounded(decimals: 2), forKey: .speed)
        try container.encode(drone.deliveryID, forKey: .deliveryID)
        try container.encode(drone.isAtCharge, forKey: .isAtCharge)
        try container.encode(Moment(drone.updatedAtMs), forKey: .updatedAt)
        try container.encode(drone.altitudeM.rounded(decimals: 2), forKey: .altitude)
        try container.encodeIfPresent(
            drone.mission.map {
                MissionFields(
                    origin: PositionDocument($0.origin), destination: PositionDocument($0.destination),
                    weight: $0.weightKg, stage: $0.stage.rawValue)
            }, forKey: .mission)
        try container.encodeIfPresent(drone.token, forKey: .token)
    }
}
