/// Where a delivery stands in its life.
package enum DeliveryStatus: String, Sendable, Hashable, CaseIterable {
    case pending
    case assigned
    case inFlight = "in_flight"
    case delivered
    case cancelled
    case failed

    /// Whether nothing follows.
    package var isClosed: Bool {
        switch self {
        case .pending, .assigned, .inFlight: false
        case .delivered, .cancelled, .failed: true
        }
    }
}

/// The note on a document that an event about one of its changes has not been published for certain.
package struct EventMark: Sendable, Hashable {
    /// The delivery's revision that the event tells of; with the delivery's id it names the event.
    package var revision: Int
    /// The status the change led to.
    package var status: DeliveryStatus
    /// When the change happened, milliseconds since 1970.
    package var atMs: Int64

    /// Makes a mark for one change.
    package init(revision: Int, status: DeliveryStatus, atMs: Int64) {
        self.revision = revision
        self.status = status
        self.atMs = atMs
    }
}

/// One order from its request to its end.
package struct Delivery: Sendable, Hashable {
    /// Unique; ids sort in the order of creation.
    package var id: String
    /// Where it stands.
    package var status: DeliveryStatus
    /// Where the parcel is picked up.
    package var origin: GeoPoint
    /// Where it is dropped off.
    package var destination: GeoPoint
    /// The parcel's weight, kilograms.
    package var weightKg: Double
    /// When it was ordered, milliseconds since 1970.
    package var timestampMs: Int64
    /// The id of the zone that holds the origin; nil outside all zones.
    package var zone: String?
    /// The drone that has it, from `assigned` on.
    package var droneID: String?
    /// When a drone got it.
    package var assignedAtMs: Int64?
    /// When the drone picked it up.
    package var pickedUpAtMs: Int64?
    /// When it was dropped off.
    package var deliveredAtMs: Int64?
    /// When the drop-off is expected; known from `assigned` on.
    package var etaMs: Int64?
    /// Why it was cancelled or failed: a stable word.
    package var reason: String?
    /// The fencing token of the dispatcher that last decided on it.
    package var token: String?
    /// Counts its changes from 1.
    package var revision: Int
    /// Changes whose events may not have been published yet, oldest first.
    package var marks: [EventMark]

    /// Makes a new order; it carries the mark of its creation.
    package init(
        id: String, origin: GeoPoint, destination: GeoPoint, weightKg: Double, timestampMs: Int64, zone: String?
    ) {
        self.id = id
        status = .pending
        self.origin = origin
        self.destination = destination
        self.weightKg = weightKg
        self.timestampMs = timestampMs
        self.zone = zone
        revision = 1
        marks = [EventMark(revision: 1, status: .pending, atMs: timestampMs)]
    }

    /// Makes a delivery from all of its fields, as a stored document has them.
    package init(
        id: String, status: DeliveryStatus, origin: GeoPoint, destination: GeoPoint, weightKg: Double,
        timestampMs: Int64, zone: String?, droneID: String?, assignedAtMs: Int64?, pickedUpAtMs: Int64?,
        deliveredAtMs: Int64?, etaMs: Int64?, reason: String?, token: String?, revision: Int, marks: [EventMark]
    ) {
        self.id = id
        self.status = status
        self.origin = origin
        self.destination = destination
        self.weightKg = weightKg
        self.timestampMs = timestampMs
        self.zone = zone
        self.droneID = droneID
        self.assignedAtMs = assignedAtMs
        self.pickedUpAtMs = pickedUpAtMs
        self.deliveredAtMs = deliveredAtMs
        self.etaMs = etaMs
        self.reason = reason
        self.token = token
        self.revision = revision
        self.marks = marks
    }
}
