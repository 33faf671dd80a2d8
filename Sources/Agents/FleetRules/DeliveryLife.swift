/// A change in a delivery's life.
package enum DeliveryChange: Sendable, Hashable {
    /// A drone takes it; `etaMs` is when the drop-off is expected.
    case assign(droneID: String, etaMs: Int64)
    /// Its drone has the parcel.
    case pickUp
    /// Its drone dropped it off.
    case deliver
    /// The client wants it no more.
    case cancel(reason: String)
    /// It cannot be carried out; `reason` is a stable word.
    case fail(reason: String)
    /// Its drone was lost before the pick-up: it waits for another.
    case release

    /// What the change is called in messages.
    package var name: String {
        switch self {
        case .assign: "assign"
        case .pickUp: "pick up"
        case .deliver: "deliver"
        case .cancel: "cancel"
        case .fail: "fail"
        case .release: "release"
        }
    }
}

/// Why a change was refused; the delivery stays as it is.
package struct DeliveryRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    /// The delivery's id.
    package var deliveryID: String
    /// What was wanted.
    package var change: DeliveryChange
    /// The status that does not allow it.
    package var status: DeliveryStatus
    /// The statuses that would.
    package var allowed: [DeliveryStatus]

    /// The refusal as a sentence.
    package var description: String {
        let wanted = allowed.map(\.rawValue).joined(separator: " or ")
        return "cannot \(change.name) delivery \(deliveryID): it is \(status.rawValue), it would have to be \(wanted)"
    }
}

extension Delivery {
    /// The delivery after a change, with the change's event marked as unpublished.
    ///
    /// `pending → assigned → in_flight → delivered`; `cancelled` from the first two, `failed` from the first three, and
    /// `assigned → pending` when a drone is lost. Everything else is refused.
    /// - Parameters:
    ///   - change: what happens.
    ///   - nowMs: when, milliseconds since 1970.
    ///   - token: the fencing token of the dispatcher that decides; nil leaves the one it has.
    /// - Throws: ``DeliveryRefusal`` when the present status does not allow the change.
    package func applying(
        _ change: DeliveryChange, nowMs: Int64, token: String? = nil
    ) throws(DeliveryRefusal) -> Delivery {
        let allowed: [DeliveryStatus] =
            switch change {
            case .assign: [.pending]
            case .pickUp, .release: [.assigned]
            case .deliver: [.inFlight]
            case .cancel: [.pending, .assigned]
            case .fail: [.pending, .assigned, .inFlight]
            }
        guard allowed.contains(status) else {
            throw DeliveryRefusal(deliveryID: id, change: change, status: status, allowed: allowed)
        }
        var next = self
        switch change {
        case .assign(let droneID, let etaMs):
            next.status = .assigned
            next.droneID = droneID
            next.assignedAtMs = nowMs
            next.etaMs = etaMs
        case .pickUp:
            next.status = .inFlight
            next.pickedUpAtMs = nowMs
        case .deliver:
            next.status = .delivered
            next.deliveredAtMs = nowMs
            next.etaMs = nowMs
        case .cancel(let reason):
            next.status = .cancelled
            next.reason = reason
            next.etaMs = nil
        case .fail(let reason):
            next.status = .failed
            next.reason = reason
            next.etaMs = nil
        case .release:
            next.status = .pending
            next.droneID = nil
            next.assignedAtMs = nil
            next.etaMs = nil
        }
        if let token { next.token = token }
        next.revision += 1
        next.marks.append(EventMark(revision: next.revision, status: next.status, atMs: nowMs))
        return next
    }

    /// What the drone that carries this delivery has done for it so far, as the delivery's next state; nil when the
    /// delivery already says so or the drone does not carry it.
    ///
    /// A drone seen only after its drop-off brings the pick-up and the drop-off together, each with its own mark.
    package func advanced(by drone: Drone, nowMs: Int64, token: String?) -> Delivery? {
        guard droneID == drone.id, let mission = drone.mission, mission.deliveryID == id else { return nil }
        var next = self
        if mission.stage != .toOrigin, status == .assigned,
            let changed = try? next.applying(.pickUp, nowMs: nowMs, token: token)
        {
            next = changed
        }
        if mission.stage == .arrived, next.status == .inFlight,
            let changed = try? next.applying(.deliver, nowMs: nowMs, token: token)
        {
            next = changed
        }
        return next == self ? nil : next
    }

    /// The delivery without the marks up to and including `revision`; nil when it has none of them.
    package func withoutMarks(through revision: Int) -> Delivery? {
        guard marks.contains(where: { $0.revision <= revision }) else { return nil }
        var next = self
        next.marks.removeAll { $0.revision <= revision }
        return next
    }
}
