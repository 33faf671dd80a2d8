package import FleetRules

/// A delivery as it is stored under `delivery:{id}`, told on `delivery_requests` and `delivery_status`, and answered
/// over HTTP.
///
/// Beside the fields of the HTTP contract it holds `revision`, `token` (the fencing token of the dispatcher that last
/// decided on it) and, in the cluster only, `unpublished`: the changes whose events may still have to be published.
package struct DeliveryDocument: Codable, Sendable, Hashable {
    /// The delivery.
    package var delivery: Delivery
    /// Whether the marks of unpublished changes are written: in the cluster yes, to everybody else no.
    package var showsMarks: Bool

    /// The document of a delivery as it is stored.
    package init(_ delivery: Delivery) {
        self.delivery = delivery
        showsMarks = true
    }

    /// The document of a delivery for events and answers, without the marks.
    package static func shown(_ delivery: Delivery) -> DeliveryDocument {
        var document = DeliveryDocument(delivery)
        document.showsMarks = false
        return document
    }

    private enum Field: String, CodingKey {
        case id, status, origin, destination, weight, timestamp, zone, eta, reason, revision, token, unpublished
        case droneID = "drone_id"
        case assignedAt = "assigned_at"
        case pickedUpAt = "picked_up_at"
        case deliveredAt = "delivered_at"
    }

    private struct MarkFields: Codable {
        var revision: Int
        var status: String
        var at: Moment
    }

    /// Reads the fields.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Field.self)
        func status(_ text: String) throws -> DeliveryStatus {
            guard let status = DeliveryStatus(rawValue: text) else {
                throw DecodingError.dataCorruptedError(
                    forKey: .status, in: container, debugDescription: "\"\(text)\" is not known")
            }
            return status
        }
        func moment(_ field: Field) throws -> Int64? {
            try container.decodeIfPresent(Moment.self, forKey: field)?.milliseconds
        }
        let marks = try container.decodeIfPresent([MarkFields].self, forKey: .unpublished) ?? []
        delivery = Delivery(
            id: try container.decode(String.self, forKey: .id),
            status: try status(try container.decode(String.self, forKey: .status)),
            origin: try container.decode(PositionDocument.self, forKey: .origin).point,
            destination: try container.decode(PositionDocument.self, forKey: .destination).point,
            weightKg: try container.decode(Double.self, forKey: .weight),
            timestampMs: try container.decode(Moment.self, forKey: .timestamp).milliseconds,
            zone: try container.decodeIfPresent(String.self, forKey: .zone),
            droneID: try container.decodeIfPresent(String.self, forKey: .droneID),
            assignedAtMs: try moment(.assignedAt),
            pickedUpAtMs: try moment(.pickedUpAt),
            deliveredAtMs: try moment(.deliveredAt),
            etaMs: try moment(.eta),
            reason: try container.decodeIfPresent(String.self, forKey: .reason),
            token: try container.decodeIfPresent(String.self, forKey: .token),
            revision: try container.decodeIfPresent(Int.self, forKey: .revision) ?? 1,
            marks: try marks.map {
                EventMark(revision: $0.revision, status: try status($0.status), atMs: $0.at.milliseconds)
            })
        showsMarks = true
    }

    /// Writes all fields; those of the contract also when they are null, except `reason`.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Field.self)
        try container.encode(delivery.id, forKey: .id)
        try container.encode(delivery.status.rawValue, forKey: .status)
        try container.encode(PositionDocument(delivery.origin), forKey: .origin)
        try container.encode(PositionDocument(delivery.destination), forKey: .destination)
        try container.encode(delivery.weightKg, forKey: .weight)
        try container.encode(Moment(delivery.timestampMs), forKey: .timestamp)
        try container.encode(delivery.zone, forKey: .zone)
        try container.encode(delivery.droneID, forKey: .droneID)
        try container.encode(delivery.assignedAtMs.map { Moment($0) }, forKey: .assignedAt)
        try container.encode(delivery.pickedUpAtMs.map { Moment($0) }, forKey: .pickedUpAt)
        try container.encode(delivery.deliveredAtMs.map { Moment($0) }, forKey: .deliveredAt)
        try container.encode(delivery.etaMs.map { Moment($0) }, forKey: .eta)
        try container.encodeIfPresent(delivery.reason, forKey: .reason)
        try container.encode(delivery.revision, forKey: .revision)
        try container.encodeIfPresent(delivery.token, forKey: .token)
        if showsMarks && !delivery.marks.isEmpty {
            try container.encode(
                delivery.marks.map {
                    MarkFields(revision: $0.revision, status: $0.status.rawValue, at: Moment($0.atMs))
                }, forKey: .unpublished)
        }
    }
}
