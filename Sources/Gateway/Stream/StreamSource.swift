import Energy
import Fleet
import HTTPTypes
import Wire

/// A topic that is told as events of one name.
struct StreamSource: Sendable {
    /// The topic.
    let topic: String
    /// The event's name.
    let event: String
    /// What two copies of one event have in common; nil where there are none.
    let identity: @Sendable (Record) -> String?

    /// The topics of `/fleet/stream`.
    static let fleet = [
        StreamSource(topic: FleetNames.droneUpdates, event: "drone") { _ in nil },
        StreamSource(topic: FleetNames.deliveryRequests, event: "delivery") {
            FleetEvent.header(FleetEvent.idHeader, of: $0)
        },
        StreamSource(topic: FleetNames.deliveryStatus, event: "delivery") {
            FleetEvent.header(FleetEvent.idHeader, of: $0)
        },
    ]

    /// The topics of `/anomalies/stream`.
    static let anomalies = [
        StreamSource(topic: EnergyTopics.alerts, event: "anomaly") { record in
            guard case .string(let id)? = (try? JSONValue(parsing: record.value))?["id"] else { return nil }
            return id
        }
    ]

    /// A record as it is told; nil for one whose value is not JSON.
    func told(_ record: PositionedValue) -> StreamRecord? {
        guard JSONCheck.isValid(record.value) else { return nil }
        return StreamRecord(offset: record.offset, name: event, json: record.value)
    }

    /// A record's place and value.
    struct PositionedValue {
        let offset: Offset
        let value: [UInt8]
    }
}
