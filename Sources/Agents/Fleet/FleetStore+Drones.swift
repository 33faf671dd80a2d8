package import FleetRules
import StormoClient
import Wire

/// A change of a drone by an operator; what is nil stays.
package struct DronePatch: Sendable, Hashable {
    /// The new status; any but `busy`, which only a delivery brings.
    package var status: DroneStatus?
    /// The new battery, 0…100.
    package var battery: Double?
    /// Where it stands now, on the ground.
    package var position: GeoPoint?

    /// Makes a patch.
    package init(status: DroneStatus? = nil, battery: Double? = nil, position: GeoPoint? = nil) {
        self.status = status
        self.battery = battery
        self.position = position
    }
}

extension FleetStore {
    // MARK: Reading

    /// One drone; nil when there is none of that id.
    package func drone(_ id: String) async throws(FleetStoreError) -> Versioned<Drone>? {
        guard let stored = try await get(FleetNames.drone(id)) else { return nil }
        do {
            return Versioned(try Self.readDrone(id)(stored), version: stored.version)
        } catch {
            throw .damaged(error)
        }
    }

    /// All drones in the order of their ids; documents that cannot be read are passed over with a warning.
    package func drones() async throws(FleetStoreError) -> [Versioned<Drone>] {
        var found: [Versioned<Drone>] = []
        var after: [UInt8] = []
        while found.count < settings.dronesMax {
            let page = try await scan(prefix: FleetNames.dronePrefix, after: after)
            for item in page.items {
                guard let stored = VersionedValue(item.cell) else { continue }
                let id = String(item.key.description.dropFirst(FleetNames.dronePrefix.count))
                do {
                    found.append(Versioned(try Self.readDrone(id)(stored), version: stored.version))
                } catch {
                    warn(error)
                }
            }
            guard let next = page.resumeAfter else { break }
            after = next
        }
        return found
    }

    /// Reads the document of a drone, which must be stored under its own id.
    static func readDrone(_ id: String) -> @Sendable (VersionedValue) throws(DocumentError) -> Drone {
        { stored throws(DocumentError) in
            let key = FleetNames.dronePrefix + id
            let drone = try FleetJSON.decode(DroneDocument.self, from: stored.value, key: key).drone
            guard drone.id == id else { throw DocumentError(key: key, problem: "its id is \(drone.id)") }
            return drone
        }
    }

    // MARK: Changing

    /// Replaces a drone under the version that was read; the bytes that are stored come along, for its event.
    package func replaceDrone(
        _ old: Versioned<Drone>, with next: Drone
    ) async throws(FleetStoreError) -> (outcome: Replacement<Drone>, document: [UInt8]) {
        let document = FleetJSON.encode(DroneDocument(next))
        let outcome = try await replace(
            FleetNames.drone(next.id), .version(old.version), with: document, value: next,
            read: Self.readDrone(next.id))
        return (outcome, document)
    }

    /// Stores a drone that does not exist yet; refused when it does.
    package func registerDrone(_ drone: Drone) async throws(FleetStoreError) -> Replacement<Drone> {
        try await replace(
            FleetNames.drone(drone.id), .absent, with: FleetJSON.encode(DroneDocument(drone)), value: drone,
            read: Self.readDrone(drone.id))
    }

    /// Changes a drone by an operator's hand, whatever it is doing, and tells of it.
    ///
    /// A drone taken out of `busy` loses its mission; the dispatcher mends its delivery.
    /// - Throws: `notFound`, or `invalid` with every bad field.
    package func patchDrone(_ id: String, _ patch: DronePatch) async throws(FleetStoreError) -> Versioned<Drone> {
        var problems: [FleetStoreError.InvalidField] = []
        if let battery = patch.battery, !(0...100).contains(battery) {
            problems.append(.init("battery", "expected 0 to 100, found \(battery)"))
        }
        if let position = patch.position, !position.isValid {
            problems.append(.init("position", "expected lat in -90…90 and lon in -180…180"))
        }
        guard var present = try await drone(id) else { throw .notFound(FleetNames.drone(id).description) }
        let city = try await recentZones()
        for _ in 0..<settings.attempts {
            if patch.status == .busy, present.value.status != .busy {
                problems.append(.init("status", "a drone gets busy by a delivery only"))
            }
            guard problems.isEmpty else { throw .invalid(problems) }
            let next = patched(present.value, patch, city)
            let (outcome, document) = try await replaceDrone(present, with: next)
            switch outcome {
            case .applied(let stored):
                await publishDrone(stored, document: document)
                return stored
            case .refused(.some(let found)):
                present = found
            case .refused(nil):
                throw .notFound(FleetNames.drone(id).description)
            }
        }
        throw .contended(FleetNames.drone(id).description)
    }

    private func patched(_ drone: Drone, _ patch: DronePatch, _ city: City) -> Drone {
        var next = drone
        if let status = patch.status, status != .busy {
            next = next.freed()
            next.status = status
        }
        if let battery = patch.battery { next.battery = battery }
        if let position = patch.position {
            next.position = position
            next.altitudeM = 0
            next.speed = 0
            next.isAtCharge =
                city.nearestChargePoint(to: position).map { $0.distanceM <= rules.arrivalToleranceM } ?? false
        }
        next.updatedAtMs = nowMs()
        return next
    }

    /// Tells of a drone's new document. When the cluster does not take the event, readers learn of the change from the
    /// drone's next event or their next listing.
    package func publishDrone(_ drone: Versioned<Drone>, document: [UInt8]) async {
        let record = FleetEvent.record(
            droneID: drone.value.id, document: document, version: drone.version, publisher: publisher,
            nowMs: nowMs())
        _ = try? await cluster.publish(FleetNames.droneUpdates, [record])
    }
}
