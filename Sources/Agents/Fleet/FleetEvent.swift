package import FleetRules
package import Wire

/// Events of the fleet as records of its topics, and back.
///
/// The value is the document. Headers say what a consumer needs beside it: `event-id` (equal for two copies of one
/// event, so that the second can be dropped), `version` (of the document in the cluster; newer is greater) and `by`
/// (who published it).
package enum FleetEvent: Sendable, Hashable {
    /// A drone changed; `version` is that of its document.
    case drone(Drone, version: Ballot)
    /// A delivery changed; `version` is that of its document.
    case delivery(Delivery, version: Ballot)

    /// Header: the event's id.
    package static let idHeader = "event-id"
    /// Header: the document's version.
    package static let versionHeader = "version"
    /// Header: the publisher.
    package static let publisherHeader = "by"

    /// The record on `drone_updates` of a drone's document, given as the bytes that were stored.
    package static func record(
        droneID: String, document: [UInt8], version: Ballot, publisher: String, nowMs: Int64
    ) -> Record {
        record(
            key: droneID, value: document, eventID: "\(droneID):\(version)", version: version, publisher: publisher,
            nowMs: nowMs)
    }

    /// The topic and record that tell one marked change of a delivery.
    package static func record(
        _ delivery: Versioned<Delivery>, mark: EventMark, publisher: String, nowMs: Int64
    ) -> (topic: String, record: Record) {
        let topic = mark.revision == 1 ? FleetNames.deliveryRequests : FleetNames.deliveryStatus
        let record = record(
            key: delivery.value.id, value: FleetJSON.encode(DeliveryDocument.shown(delivery.value)),
            eventID: "\(delivery.value.id):\(mark.revision)", version: delivery.version, publisher: publisher,
            nowMs: nowMs)
        return (topic, record)
    }

    private static func record(
        key: String, value: [UInt8], eventID: String, version: Ballot, publisher: String, nowMs: Int64
    ) -> Record {
        Record(
            key: Array(key.utf8), value: value,
            headers: [
                Record.Header(name: idHeader, value: Array(eventID.utf8)),
                Record.Header(name: versionHeader, value: Array(version.description.utf8)),
                Record.Header(name: publisherHeader, value: Array(publisher.utf8)),
            ],
            timestampMs: UInt64(max(0, nowMs)))
    }

    /// A header of a record as text; nil when it has none of that name.
    package static func header(_ name: String, of record: Record) -> String? {
        record.headers.first { $0.name == name }.map { String(decoding: $0.value, as: UTF8.self) }
    }

    /// The event a record of one of the fleet's topics tells.
    /// - Throws: ``DocumentError`` when the record is none: somebody else wrote into the topic.
    package init(_ record: Record, topic: String) throws(DocumentError) {
        let key = String(decoding: record.key ?? [], as: UTF8.self)
        guard let version = Self.header(Self.versionHeader, of: record).flatMap({ Ballot($0) }) else {
            throw DocumentError(key: key, problem: "the record on \(topic) has no version header")
        }
        if topic == FleetNames.droneUpdates {
            let document = try FleetJSON.decode(DroneDocument.self, from: record.value, key: key)
            self = .drone(document.drone, version: version)
        } else {
            let document = try FleetJSON.decode(DeliveryDocument.self, from: record.value, key: key)
            self = .delivery(document.delivery, version: version)
        }
    }
}
